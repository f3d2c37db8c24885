"""Which formats are read here, by what, and whether that is installed."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from edge_agent.core.formats import FRAME_SUFFIXES
from edge_agent.frames import StackReader, readers


@dataclass(frozen=True, slots=True)
class Format:
    """One reader.

    Attributes:
        name: the format's.
        suffixes: how its files' names end.
        usual: those of them that streams take unless told otherwise.
        library: the distribution that reads it; "" for NumPy.
        installed: that distribution's version, "" where it is not installed; NumPy's own where it needs no other.
        stacks: whether a file's frames are read some at a time.
        rule: when a file counts as complete.
    """

    name: str
    suffixes: tuple[str, ...]
    usual: tuple[str, ...]
    library: str
    installed: str
    stacks: bool
    rule: str


def formats() -> list[Format]:
    """Every format, in the order in which readers are asked."""
    return [
        Format(
            reader.name,
            reader.suffixes,
            tuple(suffix for suffix in reader.suffixes if suffix in FRAME_SUFFIXES),
            reader.library,
            _version(reader.library or "numpy"),
            isinstance(reader, StackReader),
            reader.rule,
        )
        for reader in readers()
    ]


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""
