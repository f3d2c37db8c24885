"""The sample under the beam: what its frames amount to, and how far that lies from its lot.

Frames of one sample share its peculiarities, so a sample's mean never becomes more certain than samples differ from each other: with k
frames its variance is between + within / k. A mean is therefore compared with how samples of the lot scatter, never with frames alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from edge_agent.drift.components import COMPONENTS, NETWORK

if TYPE_CHECKING:
    from edge_agent.core.verdict import FrameRef
    from edge_agent.drift.tables import LotTable

PLACES = range(len(COMPONENTS))
BLOCK = 8
"""Frames in a block of a within-sample contrast, and frames the recent past holds."""
FARTHEST_FRAME = 12.0
"""Standard deviations at which a single frame is cut off."""
LONE_FRAME = 3.0
"""Normal deviate that the first frame of a sample can reach: strange samples of one frame have to add up."""


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
        first: its first frame.
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

    @property
    def lot(self) -> str:
        """What most of its frames were taken for, the first such in the alphabet; "" before the first."""
        return min(self.votes, key=lambda lot: (-self.votes[lot], lot), default="")

    def counted(self, place: int) -> int:
        """Frames that count for the component at `place`."""
        return self.whole if place in NETWORK else self.frames

    def add(self, frame: FrameRef, values: tuple[float, ...], table: LotTable, held: Held) -> None:
        """Count a frame that is normalised by `table`."""
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
        for place in PLACES:
            frames = self.counted(place)
            if frames == 0:
                found.append(0.0)
            elif frames == 1:
                found.append(max(-LONE_FRAME, min(LONE_FRAME, table.score(place, self.total[place], 1))))
            else:
                lowest, low, high, highest = self.extremes[place]
                centre = table.centre[place]
                tamed = low - lowest if centre - lowest > highest - centre else high - highest
                found.append(table.score(place, (self.total[place] + tamed) / frames, frames))
        return found

    def contrasts(self, table: LotTable) -> list[float] | None:
        """The last whole block against all before it, in standard deviations: the sample's peculiarities cancel.

        Such contrasts (Helmert's) of frames that scatter independently are independent of each other. None where no block has just
        been filled, or it is the first. Frames of some samples scatter more than those of others: what these did before counts.
        The network's components are 0 in a sample that some member did not answer wholly.
        """
        if self.frames % BLOCK or self.frames < 2 * BLOCK:
            return None
        before = self.frames - BLOCK
        whole = self.whole == self.frames
        found = []
        for place in PLACES:
            if place in NETWORK and not whole:
                found.append(0.0)
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
    if lowest == low == high == highest:  # one frame so far, or several alike
        low, high = max(lowest, value), min(highest, value)
        return [min(lowest, value), low, high, max(highest, value)]
    if value < low:
        lowest, low = min(lowest, value), max(lowest, value)
    if value > high:
        high, highest = min(highest, value), max(highest, value)
    return [lowest, low, high, highest]
