"""What hostile files are made from: a good file of each format, with its side-cars."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.frames.reader import HEAD_BYTES
from edge_agent.frames.registry import reader_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class CannotBeMadeError(Exception):
    """The library that should write such a file refuses to."""


@dataclass(frozen=True, slots=True)
class Seed:
    """A good file.

    Attributes:
        name: its file name; some formats are known by it.
        content: its bytes.
        beside: other files of its folder that its reader may look at, by name.
        origin: which seeds it came with, for tables.
    """

    name: str
    content: bytes
    beside: Mapping[str, bytes] = field(default_factory=dict)
    origin: str = "synthetic"

    @property
    def form(self) -> str:
        """Its format's name as the agent sees it; "-" for a file that no reader knows."""
        reader = reader_of(self.content[:HEAD_BYTES], self.name)
        return reader.name if reader else "-"


@dataclass(frozen=True, slots=True)
class Hostile:
    """One hostile file.

    Attributes:
        seed: what it was made from; its name and side-cars go with it.
        kind: the idea it was made by, one word.
        how: what was done, in a few words.
        make: makes its bytes: most of a corpus is drawn from and never made; raises CannotBeMadeError.
        beside: other files of its folder, those of the seed included.
    """

    seed: Seed
    kind: str
    how: str
    make: Callable[[], bytes]
    beside: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its file name."""
        return self.seed.name

    def __str__(self) -> str:
        return f"{self.seed.origin} {self.seed.name}, {self.kind}: {self.how}"


def made(kind: str, name: str, how: str, content: bytes) -> Hostile:
    """A file that was made from nothing."""
    return Hostile(Seed(name, content, origin="made"), kind, how, lambda: content)
