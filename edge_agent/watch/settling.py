"""Which files rest, since when, and which are due for a look; pure but for the times it is given."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.watch.patterns import natural_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.watch.listing import FoundFile


GLIMPSE_S = 1.0
"""A file that is written to without a rest is looked at this often, and `settle_s`: it may be one that can be read meanwhile."""


@dataclass(slots=True)
class Candidate:
    """A file that has not settled yet.

    Attributes:
        file: its state when last looked at.
        noticed_s: when it was first noticed, monotonic seconds.
        changed_s: when it was last seen to change.
        due_s: when to look again.
        looked_s: when it was last looked at, or first noticed.
    """

    file: FoundFile
    noticed_s: float
    changed_s: float
    due_s: float
    looked_s: float


@dataclass(slots=True)
class Settling:
    """The candidates, and a heap of when each is due; files due together come in the order (mtime_ns, natural path).

    Attributes:
        settle_s: how long a file must rest.
    """

    settle_s: float
    _candidates: dict[str, Candidate] = field(default_factory=dict)
    _heap: list[tuple[float, int, tuple[tuple[int, int | str], ...], str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._candidates)

    def __contains__(self, path: object) -> bool:
        return path in self._candidates

    def notice(self, file: FoundFile, now_s: float) -> bool:
        """A file was seen in this state at `now_s`; tells whether it is a new candidate."""
        candidate = self._candidates.get(file.path)
        if candidate is None:
            self._candidates[file.path] = candidate = Candidate(file, now_s, now_s, now_s + self.settle_s, now_s)
            self._push(candidate)
            return True
        if (file.size, file.mtime_ns) != (candidate.file.size, candidate.file.mtime_ns):
            candidate.file, candidate.changed_s = file, now_s
            self._put_off(candidate)
        return False

    def touch(self, path: str, now_s: float) -> None:
        """Something was written at `now_s`, whatever size and time say."""
        candidate = self._candidates.get(path)
        if candidate is not None and candidate.changed_s < now_s:
            candidate.changed_s = now_s
            self._put_off(candidate)

    def rests(self, candidate: Candidate, now_s: float) -> bool:
        """Whether it has rested long enough to be complete."""
        return now_s >= candidate.changed_s + self.settle_s

    def look_again(self, candidate: Candidate, due_s: float) -> None:
        """Put off the next look."""
        candidate.due_s = due_s
        self._push(candidate)

    def drop(self, path: str) -> None:
        """The file settled, was given up, or is gone."""
        self._candidates.pop(path, None)

    def due(self, now_s: float, limit: int) -> list[Candidate]:
        """At most `limit` candidates whose time has come, in order; each must be dropped or put off."""
        found: list[Candidate] = []
        while len(found) < limit and (due_s := self.next_due_s()) is not None and due_s <= now_s:
            candidate = self._candidates[heapq.heappop(self._heap)[3]]
            candidate.looked_s, candidate.due_s = now_s, math.inf  # its other entries in the heap, of the same time, are void now
            found.append(candidate)
        return found

    def next_due_s(self) -> float | None:
        """When the next candidate is due; None without candidates."""
        while self._heap:
            due_s, _, _, path = self._heap[0]
            candidate = self._candidates.get(path)
            if candidate is not None and candidate.due_s == due_s:
                return due_s
            heapq.heappop(self._heap)
        return None

    def paths(self) -> Iterable[str]:
        """Every candidate's path."""
        return self._candidates.keys()

    def _put_off(self, candidate: Candidate) -> None:
        """Look when it has rested, or when it has not been looked at for too long."""
        rested_s = candidate.changed_s + self.settle_s
        self.look_again(candidate, min(rested_s, candidate.looked_s + self.settle_s + GLIMPSE_S))

    def _push(self, candidate: Candidate) -> None:
        file = candidate.file
        heapq.heappush(self._heap, (candidate.due_s, file.mtime_ns, natural_key(file.path), file.path))
