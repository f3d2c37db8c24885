"""What one sample, and the stream of samples, say against the calibration.

Frames of one sample share its peculiarities, so a sample's mean never becomes more certain than samples differ from
each other: with k frames its variance is shared + (1 - shared) / k, not 1 / k. Evidence adds up over samples only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from edge_agent.drift.components import ACQUISITION, COMPONENTS, NETWORK
from edge_agent.drift.thresholds import ALLOWANCE

if TYPE_CHECKING:
    from edge_agent.core.verdict import FrameRef
    from edge_agent.drift.tables import LotTable
    from edge_agent.drift.thresholds import Limits

PLACES = range(len(COMPONENTS))
BLOCK = 8
"""Frames in either half of a within-sample contrast, and frames the recent past holds."""
MOST_COUNTED = 8
"""Neighbouring frames overlap, so more of them than this sharpen a sample's mean no further."""
CLIP = 1.2
"""A single frame weighs at most this many times the limit, so that no frame can raise an alarm alone."""
STARTS = 4
"""Sample starts that are remembered as possible onsets; an older onset is told as the oldest of these."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The strongest sign of change after a frame.

    Attributes:
        ratio: its size over its limit; it alarms at 1.
        place: the component.
        sign: +1 above, -1 below the usual.
        layer: sample, frames, stream or contrast.
        lot: the lot it was normalised by.
        onset: where it began, when that is not the current sample's first frame.
    """

    ratio: float
    place: int
    sign: int
    layer: str
    lot: str
    onset: FrameRef | None = None


NOTHING = Evidence(0.0, 0, 1, "sample", "")


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
        frames: how many were counted.
        whole: how many of these every member answered: those that count for the network's components.
        total: sum of the clipped standardised components.
        shared: sum of the shared share of variance, for frames may be normalised by different lots.
        head: `total` after the first BLOCK frames.
        recent: the last BLOCK frames.
    """

    name: str | None
    first: FrameRef
    frames: int = 0
    whole: int = 0
    total: list[float] = field(default_factory=lambda: [0.0] * len(COMPONENTS))
    shared: list[float] = field(default_factory=lambda: [0.0] * len(COMPONENTS))
    head: list[float] = field(default_factory=lambda: [0.0] * len(COMPONENTS))
    recent: list[Held] = field(default_factory=list)

    def counted(self, place: int) -> int:
        """Frames that count for the component at `place`."""
        return self.whole if place in NETWORK else self.frames

    def add(self, table: LotTable, held: Held, limit: float) -> None:
        """Count a frame, normalised by `table`."""
        self.frames += 1
        self.whole += held.whole
        farthest = CLIP * limit
        for place, value in enumerate(held.vector):
            if held.tells(place):
                self.total[place] = round(self.total[place] + min(farthest, max(-farthest, value)), 4)
                self.shared[place] = round(self.shared[place] + table.shared[place], 4)
        if self.frames == BLOCK:
            self.head = list(self.total)
        self.recent.append(held)
        del self.recent[:-BLOCK]

    def z(self) -> list[float]:
        """The sample's mean, in standard deviations of means of so many frames; 0 where no frame counts."""
        result = []
        for place, (total, shared_total) in enumerate(zip(self.total, self.shared, strict=True)):
            frames = self.counted(place)
            if frames == 0:
                result.append(0.0)
                continue
            shared = shared_total / frames
            result.append(total / frames / math.sqrt(shared + (1.0 - shared) / min(frames, MOST_COUNTED)))
        return result

    def strongest(self, z: list[float], table: LotTable, limits: Limits) -> Evidence:
        """The largest of this sample's own signs; none from a single frame."""
        if self.frames < 2:
            return NOTHING
        place = max((place for place in PLACES if self.counted(place) >= 2), key=lambda place: abs(z[place]))
        best = Evidence(abs(z[place]) / limits.z, place, 1 if z[place] > 0 else -1, "sample", table.lot)
        return max(best, self._second_strangest(limits), self._contrast(table, limits), key=lambda sign: sign.ratio)

    def _second_strangest(self, limits: Limits) -> Evidence:
        """Two single frames beyond the limit: assorted rubbish whose mean may look harmless."""
        sizes = [max(map(abs, held.vector)) for held in self.recent]
        size = sorted(sizes)[-2]
        lot, vector, _ = self.recent[sizes.index(size)]
        place = max(PLACES, key=lambda place: abs(vector[place]))
        return Evidence(size / limits.z, place, 1 if vector[place] > 0 else -1, "frames", lot)

    def _contrast(self, table: LotTable, limits: Limits) -> Evidence:
        """The last frames against the sample's own first ones: the sample's peculiarities cancel.

        The network's components are compared only in a sample whose frames all members answered.
        """
        if self.frames < 2 * BLOCK:
            return NOTHING
        latest = [sum(column) for column in zip(*(held.vector for held in self.recent), strict=True)]
        sizes = [(now - then) / BLOCK / usual for now, then, usual in zip(latest, self.head, table.contrast, strict=True)]
        place = max(PLACES if self.whole == self.frames else ACQUISITION, key=lambda place: abs(sizes[place]))
        return Evidence(abs(sizes[place]) / limits.z, place, 1 if sizes[place] > 0 else -1, "contrast", table.lot)


@dataclass(slots=True)
class Stream:
    """CUSUMs over samples, upwards and downwards for each component (Page 1954), each with the place it left zero.

    Attributes:
        sums: 2 * components, upwards first.
        began: index into `starts` of the sample where each sum last left zero.
        starts: first frames of recent samples, oldest first.
    """

    sums: list[float] = field(default_factory=lambda: [0.0] * (2 * len(COMPONENTS)))
    began: list[int] = field(default_factory=lambda: [0] * (2 * len(COMPONENTS)))
    starts: list[FrameRef] = field(default_factory=list)

    def strongest(self, z: list[float], lot: str, limits: Limits, current: FrameRef) -> Evidence:
        """The largest sum if the current sample ended now."""
        if not any(self.sums):  # one sample alone cannot reach the limit: see _step
            return NOTHING
        sizes = [held + self._step(z, index, limits) for index, held in enumerate(self.sums)]
        best = max(sizes)
        best_index = sizes.index(best)
        place, sign = best_index % len(COMPONENTS), 1 if best_index < len(COMPONENTS) else -1
        onset = self.starts[self.began[best_index]] if self.sums[best_index] > 0 else current
        return Evidence(best / limits.cusum, place, sign, "stream", lot, onset)

    def end_sample(self, sample: Sample, limits: Limits) -> None:
        """Add a finished sample; sums of components for which none of its frames counts stay as they are."""
        if sample.frames == 0:
            return
        z = sample.z()
        self.starts.append(sample.first)
        newest = len(self.starts) - 1
        for index, held in enumerate(self.sums):
            if not sample.counted(index % len(COMPONENTS)):
                continue
            if held <= 0.0:
                self.began[index] = newest
            self.sums[index] = round(max(0.0, held + self._step(z, index, limits)), 4)
        if len(self.starts) > STARTS:
            del self.starts[0]
            self.began = [max(0, index - 1) for index in self.began]

    @staticmethod
    def _step(z: list[float], index: int, limits: Limits) -> float:
        """One sample's contribution; no sample counts for more than the limit of a single one."""
        value = z[index % len(COMPONENTS)] * (1 if index < len(COMPONENTS) else -1)
        return min(value, limits.z) - ALLOWANCE
