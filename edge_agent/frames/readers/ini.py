"""Texts of lines `key=value` under `[section]`, as microscopes write them; nothing is interpolated, and letter case stays."""

from __future__ import annotations

import codecs

MOST_LINES = 20_000


def parse_ini(text: str) -> dict[str, dict[str, str]]:
    r"""Sections of keys; lines before the first section stand under "".

    >>> parse_ini("a=1\r\n[MAIN]\r\nDate = 2019-01-23\r\nodd line\r\n")
    {'': {'a': '1'}, 'MAIN': {'Date': '2019-01-23'}}
    """
    sections: dict[str, dict[str, str]] = {}
    section = sections.setdefault("", {})
    for line in text.splitlines()[:MOST_LINES]:
        stripped = line.strip()
        if stripped.startswith("[") and stripped.endswith("]"):
            section = sections.setdefault(stripped[1:-1].strip(), {})
        elif "=" in stripped:
            key, _, value = stripped.partition("=")
            section.setdefault(key.strip(), value.strip())
    return sections


def text_from(content: bytes) -> str:
    """A side-car's text: UTF-16 or UTF-8 by its mark, else UTF-8, else Windows' western code page."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")
