"""The sample under the beam: what its frames amount to, and how far that lies from its lot.

Frames of one sample share its peculiarities, so a sample's mean never becomes more certain than samples differ from each other: with k
frames its variance is between + within / k. A mean is therefore compared with how samples of the lot scatter, never with frames alone.

A sample is a run of frames of one name at the same settings. One that comes back soon (see `edge_agent.drift.recall`) goes on from what
its earlier frames amounted to. Where names are unknown a run may hold several samples: it forgets, so that it is never more than the
last few frames, and it has no beginning that later frames could be held against.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from edge_agent.drift.components import COMPONENTS, NETWORK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.core.verdict import FrameRef
    from edge_agent.drift.tables import LotTable

PLACES = range(len(COMPONENTS))
BLOCK = 8
"""Frames in a block of a within-sample contrast, and frames the recent past holds."""
FARTHEST_FRAME = 12.0
"""Standard deviations at which a single frame is cut off."""
LONE_FRAME = 3.0
"""Normal deviate that the first frame of a sample can reach: strange samples of one frame have to add up."""


class Before(NamedTuple):
    """What a sample's earlier frames amount to.

    Attributes:
        frames, whole: as in Sample; no more than BLOCK of them count.
        mean: of each component, the farthest frame tamed; 0 where no frame counts.
    """

    frames: int
    whole: int
    mean: Sequence[float]


NONE_BEFORE = Before(0, 0, (0.0,) * len(COMPONENTS))


class Held(NamedTuple):
    """A frame of the recent past.

    Attributes:
        lot: the lot it was normalised by.
        vector: standardised components; 0 in those of the network when it is not whole.
        whole: whether every member of the ensemble answered it, so that the network's components say something.
    """

    lot: str
    vector: list[float]
    whole: bool = True

    def tells(self, place: int) -> bool:
        """Whether the component at `place` was measured."""
        return self.whole or place not in NETWORK


@dataclass(slots=True)
class Sample:
    """The current sample.

    Attributes:
        name: its name, or None when the stream does not tell samples.
        first: its first frame; of one without a name, the first of the last whole block.
        stratum: the settings it is taken at.
        frames: how many were counted.
        whole: how many of these every member answered: those that count for the network's components.
        votes: how many frames were given each lot.
        total: sum of the components, each frame cut off at FARTHEST_FRAME.
        squares: sum of their squares.
        extremes: of each component: lowest, second lowest, second highest, highest frame.
        earlier, earlier_squares: `total` and `squares` at the end of the last whole block.
        block_first: first frame of the block that is being filled.
        recent: the last BLOCK frames.
        before: what is remembered of frames before `first`.
    """

    name: str | None
    first: FrameRef
    stratum: str = ""
    frames: int = 0
    whole: int = 0
    votes: dict[str, int] = field(default_factory=dict)
    total: list[float] = field(default_factory=lambda: [0.0] * len(COMPONENTS))
    squares: list[float] = field(default_factory=lambda: [0.0] * len(COMPONENTS))
    extremes: list[list[float]] = field(default_factory=lambda: [[] for _ in COMPONENTS])
    earlier: list[float] = field(default_factory=lambda: [0.0] * len(COMPONENTS))
    earlier_squares: list[float] = field(default_factory=lambda: [0.0] * len(COMPONENTS))
    block_first: FrameRef | None = None
    recent: list[Held] = field(default_factory=list)
    before: Before = NONE_BEFORE

    @property
    def lot(self) -> str:
        """What most of its frames were taken for, the first such in the alphabet; "" before the first."""
        return min(self.votes, key=lambda lot: (-self.votes[lot], lot), default="")

    def counted(self, place: int) -> int:
        """Frames that count for the component at `place`, those before included."""
        if self.before is NONE_BEFORE:
            return self.whole if place in NETWORK else self.frames
        return self.whole + self.before.whole if place in NETWORK else self.frames + self.before.frames

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to judge it by."""
        return not (self.frames or self.before.frames)

    def add(self, frame: FrameRef, values: tuple[float, ...], table: LotTable, held: Held) -> None:
        """Count a frame that is normalised by `table`."""
        if self.name is None and self.frames == BLOCK:
            self._forget(table)
        if self.frames % BLOCK == 0:
            self.earlier, self.earlier_squares = list(self.total), list(self.squares)
            self.block_first = frame
        self.frames += 1
        self.whole += held.whole
        for place, value in enumerate(values):
            if held.tells(place):
                cut = round(table.cut_off(place, value, FARTHEST_FRAME), 5)
                self.total[place] = round(self.total[place] + cut, 5)
                self.squares[place] = round(self.squares[place] + cut * cut, 5)
                self.extremes[place] = _extremes(self.extremes[place], cut)
        self.recent.append(held)
        del self.recent[:-BLOCK]

    def scores(self, table: LotTable) -> list[float]:
        """Each component's mean as a normal deviate among means of as many frames of samples of this lot; 0 where no frame counts.

        The frame farthest out counts no more than the next one (a Winsorised mean): no single frame makes a sample strange.
        """
        found = []
        remembers = self.before is not NONE_BEFORE
        for place in PLACES:
            frames = self.counted(place)
            if frames == 0:
                found.append(0.0)
            elif frames == 1:
                value = self._mean(place, table) if remembers else self.total[place]
                found.append(max(-LONE_FRAME, min(LONE_FRAME, table.score(place, value, 1))))
            elif remembers:
                found.append(table.score(place, self._mean(place, table), frames))
            else:
                found.append(table.score(place, self._tamed(place, table) / frames, frames))
        return found

    def _tamed(self, place: int, table: LotTable) -> float:
        """The sum of two frames or more, the farthest counted as the next one."""
        lowest, low, high, highest = self.extremes[place]
        centre = table.centre[place]
        return self.total[place] + (low - lowest if centre - lowest > highest - centre else high - highest)

    def _mean(self, place: int, table: LotTable) -> float:
        """The mean over the frames before and those since, of at least one; a single one since is tamed as a lone frame is."""
        network = place in NETWORK
        earlier, since = (self.before.whole, self.whole) if network else (self.before.frames, self.frames)
        if since == 0:
            return self.before.mean[place]
        total = table.cut_off(place, self.total[place], LONE_FRAME) if since == 1 else self._tamed(place, table)
        return (earlier * self.before.mean[place] + total) / (earlier + since)

    def remembered(self, table: LotTable) -> Before:
        """What the sample amounts to, should it come back: as certain as BLOCK frames at most, so that it can still change."""
        mean = [round(self._mean(place, table), 5) if self.counted(place) else 0.0 for place in PLACES]
        return Before(min(BLOCK, self.before.frames + self.frames), min(BLOCK, self.before.whole + self.whole), mean)

    def _forget(self, table: LotTable) -> None:
        self.before = self.remembered(table)
        self.first = self.block_first or self.first
        self.frames = self.whole = 0
        self.total, self.squares = [0.0] * len(COMPONENTS), [0.0] * len(COMPONENTS)
        self.extremes = [[] for _ in COMPONENTS]

    def contrasts(self, table: LotTable) -> list[float | None] | None:
        """The last whole block against all before it, in standard deviations: the sample's peculiarities cancel.

        Such contrasts (Helmert's) of frames that scatter independently are independent of each other. None where no block has just
        been filled, or it is the first. Frames of some samples scatter more than those of others: what these did before counts.
        The network's components are None in a sample that some member did not answer wholly.
        """
        if self.frames % BLOCK or self.frames < 2 * BLOCK:
            return None
        before = self.frames - BLOCK
        whole = self.whole == self.frames
        found: list[float | None] = []
        for place in PLACES:
            if place in NETWORK and not whole:
                found.append(None)
                continue
            mean = self.earlier[place] / before
            own = math.sqrt(max(0.0, self.earlier_squares[place] / before - mean * mean) * before / (before - 1))
            found.append(table.contrast_score(place, (self.total[place] - self.earlier[place]) / BLOCK - mean, before, own))
        return found


def _extremes(held: list[float], value: float) -> list[float]:
    """Lowest, second lowest, second highest and highest frame, `value` among them; of a single frame it four times."""
    if not held:
        return [value] * 4
    lowest, low, high, highest = held
    if low <= value <= high:
        return held
    if lowest == low == high == highest:  # one frame so far, or several alike
        low, high = max(lowest, value), min(highest, value)
        return [min(lowest, value), low, high, max(highest, value)]
    if value < low:
        lowest, low = min(lowest, value), max(lowest, value)
    if value > high:
        high, highest = min(highest, value), max(highest, value)
    return [lowest, low, high, highest]
