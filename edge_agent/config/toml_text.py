"""A file's bytes as a TOML table, or one line that says what is wrong with them and where."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from edge_agent.config.ordinary import NotOrdinaryError, read_ordinary
from edge_agent.core.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

UTF_16 = (b"\xff\xfe", b"\xfe\xff")
SHOWN = 60
LONGEST_BYTES = 1_000_000
BACKSLASHES = "write Windows paths with / or in single quotes, as all text with backslashes"
HINTS: tuple[tuple[str, str], ...] = (
    (r'"[^"]*\\', BACKSLASHES),
    ("[\u201c\u201d\u2018\u2019\u201e]", "use straight quotes, \" or '"),
    (r"^\s*\[\[[^\]]*\](?!\])|^\s*\[[^\[\]]*$", "close its brackets, as in [[stream]] and [agent]"),
    (r"=\s*(True|False|None|nan|inf)\b", "write true or false, or a number"),
    (r"=\s*[A-Za-z/~]", "put text into quotes"),
    (r"^[^=#]+:", "write key = value, with =, not :"),
)
"""What a line that is no TOML looks like, and what is mostly meant; the first that fits."""


def read_text(path: Path) -> str:
    """The file's text; raises ConfigurationError."""
    try:
        content = read_ordinary(path, LONGEST_BYTES)
    except FileNotFoundError:
        raise ConfigurationError(
            str(path), "there is no such configuration file", "write one with `edge-agent init`, or name it with --config"
        ) from None
    except NotOrdinaryError:
        raise ConfigurationError(str(path), "it is no ordinary file", "name a file that holds the configuration") from None
    except OSError as error:
        if path.is_dir():
            raise ConfigurationError(str(path), "it is a folder", "name the file in it, such as edge-agent.toml") from None
        raise ConfigurationError(str(path), error.strerror or "it cannot be read", "check the path and its permissions") from None
    if len(content) > LONGEST_BYTES:
        raise ConfigurationError(str(path), "it is longer than 1 MB", "name a file that holds the configuration")
    if content.startswith(UTF_16) or b"\0" in content[:64]:
        raise ConfigurationError(str(path), "it is UTF-16 text, which some editors call Unicode", "save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{path}, line {line}", "it is not UTF-8 text", "save it as UTF-8") from None


def parse(path: Path, text: str) -> dict[str, Any]:
    """The table; raises ConfigurationError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
    found = re.search(r" \(at line (\d+), column \d+\)", said)
    number = int(found[1]) if found else len(text.splitlines())
    line = (text.splitlines() or [""])[min(number, max(1, len(text.splitlines()))) - 1].strip()
    key = line.split("=")[0].strip()[:SHOWN] if "=" in line or line.startswith("[") else ""
    shown = f" in {key}" if key else ""  # never what follows: it may be a secret
    said = re.sub(r" \(at (line \d+, column \d+|end of document)\)", "", said)
    raise ConfigurationError(
        f"{path}, line {number}", f"it is not TOML: {said[0].lower()}{said[1:]}{shown}", _way_out(said, line)
    ) from None


def _way_out(said: str, line: str) -> str:
    if "overwrite" in said:
        return "it is set twice; keep one of the two"
    if "declare" in said and "twice" in said:
        return "two streams begin with [[stream]] each, in double brackets" if "stream" in said else "keep one of the two tables"
    return next((hint for pattern, hint in HINTS if re.search(pattern, line)), "mend that line")
