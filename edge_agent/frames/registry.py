"""Every reader there is: ours, and those that other packages bring."""

from __future__ import annotations

import logging
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from edge_agent.frames.readers import BUILT_IN

if TYPE_CHECKING:
    from edge_agent.frames.reader import Reader

GROUP = "edge_agent.readers"
PARTS = ("name", "suffixes", "rule", "by_path", "library", "recognises", "lacks", "read")
"""What a Reader has."""
log = logging.getLogger(__name__)  # which, where nobody has set it up, tells on standard error and not among a verb's answers


@cache
def readers() -> tuple[Reader, ...]:
    """Ours first, then those of other packages in the order of their names; one that cannot be loaded is told once and left out."""
    found: list[Reader] = [*BUILT_IN]
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            loaded = entry.load()
            found.append(_checked(loaded() if isinstance(loaded, type) else loaded))
        except Exception as error:  # noqa: BLE001 - another package's code raises anything at all
            log.warning("the reader %s cannot be loaded: %s", entry.value, " ".join(str(error).split()) or type(error).__name__)
    return tuple(found)


def _checked(reader: Any) -> Reader:
    lacking = [part for part in PARTS if not hasattr(reader, part)]
    if lacking:
        raise TypeError(f"it is no Reader, for it has no {', no '.join(lacking)}")
    checked: Reader = reader
    return checked


def reader_of(head: bytes, name: str) -> Reader | None:
    """The first reader that recognises a file's first bytes."""
    return next((reader for reader in readers() if _recognises(reader, head, name)), None)


def _recognises(reader: Reader, head: bytes, name: str) -> bool:
    try:
        return reader.recognises(head, name)
    except Exception:  # noqa: BLE001 - bytes that confuse a reader are not of its format, and must not end the agent
        return False


def promised(name: str) -> Reader | None:
    """The reader whose format a file's name promises: the longest suffix wins."""
    lower = name.lower()
    fitting = ((len(suffix), reader) for reader in readers() for suffix in reader.suffixes if lower.endswith(suffix))
    return max(fitting, key=lambda found: found[0], default=(0, None))[1]
