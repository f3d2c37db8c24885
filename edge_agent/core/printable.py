"""Texts that others wrote (file names, vendors' metadata, operators' reasons), as a terminal or a log may show them."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""`text` on one line: characters that would end the line, or that a terminal obeys, as they are written in Python.

    >>> printable("A/\x1b[2J\n\u202e\u00b5.tif")
    'A/\\x1b[2J\\n\\u202e\u00b5.tif'
    """
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
