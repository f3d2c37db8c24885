"""Whether a reader knows a file, told from its name or its first bytes, without reading it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from edge_agent.frames.reader import HEAD_BYTES
from edge_agent.frames.registry import promised, reader_of
from edge_agent.frames.share import open_shared
from edge_agent.frames.signature import describe

if TYPE_CHECKING:
    from pathlib import Path


def is_promised(name: str) -> bool:
    """Whether a file's name promises a format that a reader knows."""
    return promised(name) is not None


def stranger(path: Path) -> str:
    """What the file at `path` seems to be where no reader knows it; "" for one that a reader knows, or that cannot be opened."""
    try:
        with open_shared(str(path)) as file:
            head = file.read(HEAD_BYTES) or b""
    except OSError:
        return ""
    return "" if reader_of(head, path.name) is not None else describe(head) if head else "empty"


def missing_library(name: str) -> str:
    """The distribution that reads what a file's name promises, where it is not installed; else ""."""
    reader = promised(name)
    if reader is None or not reader.library:
        return ""
    try:
        version(reader.library)
    except PackageNotFoundError:
        return reader.library
    return ""
