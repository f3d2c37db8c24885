"""Metadata as the agent can take them, whatever a file or another package's reader says: finite, short, on one line, in a zone."""

from __future__ import annotations

import dataclasses
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.core.frame import Acquisition

NAME_LENGTH = 200
"""Characters of an instrument's, a detector's or a sample's name, and of a further key."""
TEXT_LENGTH = 2000
"""Characters of a further key's text."""
MOST_TEXT = 1 << 17
"""Characters of all further keys and their texts."""

KEPT = "\t\n\r\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}"
"""Letters that Python does not call printable and that texts have all the same."""


def bounded(acquisition: Acquisition) -> Acquisition:
    """The same with every field such that it can travel, be a name, and stand in an event; what cannot is left out."""
    fields = {field.name: getattr(acquisition, field.name) for field in dataclasses.fields(acquisition) if field.name != "extra"}
    return dataclasses.replace(acquisition, **{name: _value(value) for name, value in fields.items()}, extra=_texts(acquisition.extra))


def _value(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, str):
        return one_line(value, NAME_LENGTH) or None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _texts(extra: Mapping[str, str]) -> dict[str, str]:
    kept: dict[str, str] = {}
    left = MOST_TEXT
    for key, text in extra.items():
        name, value = one_line(str(key), NAME_LENGTH), _harmless(str(text)[:TEXT_LENGTH])
        left -= len(name) + len(value)
        if left < 0:
            break
        kept[name] = value
    return kept


def _harmless(text: str) -> str:
    """`text` without characters that a terminal obeys; its lines stay."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in KEPT else "?" for letter in text)


def one_line(text: str, longest: int) -> str:
    r"""`text` on one line, without characters that a terminal obeys or that turn its direction.

    >>> one_line("holds \x1b[2J\n 1\u202e bytes", 100)
    'holds ?[2J 1? bytes'
    """
    line = " ".join(text[: 2 * longest].split())
    return "".join(letter if letter.isprintable() else "?" for letter in line)[:longest]
