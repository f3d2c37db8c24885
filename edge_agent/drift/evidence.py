"""What one sample, and the stream of samples, say against the calibration.

Frames of one sample share its peculiarities, so a sample's mean never becomes more certain than samples differ from
each other: with k frames its variance is shared + (1 - shared) / k, not 1 / k. Evidence adds up over samples only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.drift.components import COMPONENTS
from edge_agent.drift.thresholds import ALLOWANCE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.core.verdict import FrameRef
    from edge_agent.drift.tables import LotTable, Vector
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


@dataclass(slots=True)
class Sample:
    """The current sample.

    Attributes:
        name: its name, or None when the stream does not tell samples.
        first: its first frame.
        frames: how many were counted.
        total: sum of the clipped standardised components.
        shared: sum of the shared share of variance, for frames may be normalised by different lots.
        head: `total` after the first BLOCK frames.
        recent: the last BLOCK frames: lot and components.
    """

    name: str | None
    first: FrameRef
    frames: int = 0
    total: list[float] = field(default_factory=lambda: [0.0] * len(COMPONENTS))
    shared: list[float] = field(default_factory=lambda: [0.0] * len(COMPONENTS))
    head: list[float] = field(default_factory=lambda: [0.0] * len(COMPONENTS))
    recent: list[tuple[str, list[float]]] = field(default_factory=list)

    def add(self, table: LotTable, vector: list[float], limit: float) -> None:
        """Count a frame."""
        self.frames += 1
        farthest = CLIP * limit
        for place, value in enumerate(vector):
            self.total[place] = round(self.total[place] + min(farthest, max(-farthest, value)), 4)
            self.shared[place] = round(self.shared[place] + table.shared[place], 4)
        if self.frames == BLOCK:
            self.head = list(self.total)
        self.recent.append((table.lot, vector))
        del self.recent[:-BLOCK]

    def z(self) -> list[float]:
        """The sample's mean, in standard deviations of means of so many frames."""
        counted = min(self.frames, MOST_COUNTED)
        frames = self.frames
        result = []
        for total, shared_total in zip(self.total, self.shared, strict=True):
            shared = shared_total / frames
            result.append(total / frames / math.sqrt(shared + (1.0 - shared) / counted))
        return result

    def strongest(self, z: list[float], table: LotTable, limits: Limits) -> Evidence:
        """The largest of this sample's own signs; none from a single frame."""
        if self.frames < 2:
            return NOTHING
        place = max(PLACES, key=lambda place: abs(z[place]))
        best = Evidence(abs(z[place]) / limits.z, place, 1 if z[place] > 0 else -1, "sample", table.lot)
        return max(best, self._second_strangest(limits), self._contrast(table, limits), key=lambda sign: sign.ratio)

    def _second_strangest(self, limits: Limits) -> Evidence:
        """Two single frames beyond the limit: assorted rubbish whose mean may look harmless."""
        sizes = [max(map(abs, vector)) for _, vector in self.recent]
        size = sorted(sizes)[-2]
        lot, vector = self.recent[sizes.index(size)]
        place = max(PLACES, key=lambda place: abs(vector[place]))
        return Evidence(size / limits.z, place, 1 if vector[place] > 0 else -1, "frames", lot)

    def _contrast(self, table: LotTable, limits: Limits) -> Evidence:
        """The last frames against the sample's own first ones: the sample's peculiarities cancel."""
        if self.frames < 2 * BLOCK:
            return NOTHING
        latest = [sum(column) for column in zip(*(vector for _, vector in self.recent), strict=True)]
        sizes = [(now - then) / BLOCK / usual for now, then, usual in zip(latest, self.head, table.contrast, strict=True)]
        place = max(PLACES, key=lambda place: abs(sizes[place]))
        return Evidence(abs(sizes[place]) / limits.z, place, 1 if sizes[place] > 0 else -1, "contrast", table.lot)


def recent_mean(recent: Iterable[tuple[str, list[float]]]) -> Vector:
    """Mean of the components over frames."""
    vectors = [vector for _, vector in recent]
    return tuple(sum(column) / len(vectors) for column in zip(*vectors, strict=True))


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
        """Add a finished sample."""
        if sample.frames == 0:
            return
        z = sample.z()
        self.starts.append(sample.first)
        newest = len(self.starts) - 1
        for index, held in enumerate(self.sums):
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
