"""The pool's frames side by side, so that a stream is a list of row numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable
    from typing import Any, Protocol

    from numpy.typing import NDArray

    from tests.benchmarks.drift.scored import Scored

    class Reads(Protocol):
        def read(self, visit: Any) -> list[Scored]: ...


class Library:
    """Every visit that has been scored so far, in memory; those that have not are absent.

    Attributes:
        frames: all of them, one visit after the other.
        rows: where each visit's frames stand in `frames`.
        entropy, distance: shape (frames,), of `frames`.
        absent: how many visits were asked for and are not there.
    """

    def __init__(self, pool: Reads, visits: Iterable[Hashable]) -> None:
        self.frames: list[Scored] = []
        self.rows: dict[Hashable, range] = {}
        self.absent = 0
        for visit in visits:
            try:
                found = pool.read(visit)
            except FileNotFoundError:
                self.absent += 1
                continue
            self.rows[visit] = range(len(self.frames), len(self.frames) + len(found))
            self.frames += found
        self.entropy: NDArray[np.float64] = np.array([frame.score.entropy for frame in self.frames])
        self.distance: NDArray[np.float64] = np.array([frame.score.distance for frame in self.frames])
        self.predicted = [frame.score.lot for frame in self.frames]

    def of(self, visit: Hashable) -> list[Scored]:
        """A visit's frames."""
        return [self.frames[row] for row in self.rows[visit]]
