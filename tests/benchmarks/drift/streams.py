"""Streams as a microscope would make them, from frames that were scored once.

A sample shows the frames of one visit, in the order they were taken, and once these are used up, frames of the same visit drawn with
replacement. Drawn frames bring no news of the sample: with n frames in the pool the variance within a sample is (n - 1) / n of the
true one, and what n frames cannot tell of a sample's own place, variance within / n, looks like variance between samples and never
averages out, however long the sample. Both hold for the calibration as well, which sees as many frames of each of its samples. Eight
frames are an eighth of the variance within. And a rare frame comes back: one that a microscope would show once in 300 is shown dozens
of times by a sample of 300 that holds it. Long samples are therefore harder here than at a microscope, not easier.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.core.frame import Acquisition
from edge_agent.core.verdict import FrameRef, Observation
from tests.benchmarks.drift.pool import Visit
from tests.benchmarks.drift.study import AGED_FRAMES, CURRENTS, FRAMES, unrelated, unseen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from tests.benchmarks.drift.library import Library
    from tests.benchmarks.drift.splits import Split

    Draw = Callable[[np.random.Generator], NDArray[np.int64]]

USUAL = (24, 48)
"""Fewest and most frames of a sample, drawn evenly."""
LEAD_SAMPLES = (12, 20)
"""Before a change."""
AFTER_SAMPLES = 40
"""After it; a detector that is silent through all of them has missed it."""
LOSS_A_SAMPLE = 0.01
"""Share of the beam current that an ageing filament loses with each sample."""
UNRELATED = "unrelated"
"""In place of a lot, for pictures that show none."""
NOT_SCORED = "no visit of this kind has been scored yet"
START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TAKEN = Acquisition()


@dataclass(frozen=True)
class Stream:
    """What one detector is shown.

    Attributes:
        rows: shape (frames,), of the library.
        samples: shape (frames,), which visit of the stage each frame is of, ascending from 0.
        lots: of each sample, its true lot.
        change: number of the first changed frame; as many as there are frames in a calm stream.
        declared: whether the frames name their lot.
    """

    rows: NDArray[np.int64]
    samples: NDArray[np.int64]
    lots: tuple[str, ...]
    change: int
    declared: bool = False

    def observations(self, library: Library) -> Iterator[Observation]:
        """The frames as the judge takes them."""
        for number, (row, sample) in enumerate(zip(self.rows.tolist(), self.samples.tolist(), strict=True)):
            frame = library.frames[row]
            name = f"S{sample:05d}"
            ref = FrameRef(number, f"{name}/{number:06d}.tif", 0, name, START + number * MINUTE)
            lot = self.lots[sample]
            yield Observation(ref, frame.score, frame.statistics, TAKEN, lot if self.declared else None)


class Stage:
    """Draws samples from what a split has left over.

    Args:
        library: the scored frames.
        split: whose calibration frames are never shown.
        seed: of everything drawn.
        lengths: fewest and most frames of a sample.
    """

    def __init__(self, library: Library, split: Split, seed: tuple[int, ...], lengths: tuple[int, int] = USUAL) -> None:
        self._library, self._split, self._lengths = library, split, lengths
        self._rng = np.random.default_rng((*seed, split.number))
        self._lots = sorted(split.held_out)
        unrelated_rows = [row for visit in unrelated() for row in library.rows.get(visit, ())]
        self._unrelated = np.array(unrelated_rows, np.int64)

    def calm(self, frames: int, *, declared: bool = False) -> Stream:
        """Samples of known lots, at least `frames` frames."""
        parts, lots, held = [], [], 0
        while held < frames:
            lot, part = self._calm_sample()
            parts.append(part)
            lots.append(lot)
            held += len(part)
        return stream_of(parts, lots, len(parts), declared=declared)

    def filament(self, strength: float, *, within: bool = False, after: int = AFTER_SAMPLES) -> Stream:
        """A calm lead, then every sample through another filament, from a sample's first frame or from the middle of one."""
        parts, lots = self._lead()
        changed_from = len(parts)
        visits = self._changed(FRAMES, filament=strength)
        if within:
            visit, length = self._one_of(visits), self._length()
            before = self._frames(Visit(visit.lot, visit.sample, FRAMES), length // 2)
            parts.append(np.concatenate([before, self._frames(visit, length - length // 2)]))
            lots.append(visit.lot)
        for _ in range(after):
            visit = self._one_of(visits)
            parts.append(self._frames(visit, self._length()))
            lots.append(visit.lot)
        stream = stream_of(parts, lots, changed_from)
        if not within:
            return stream
        return Stream(stream.rows, stream.samples, stream.lots, stream.change + len(parts[changed_from]) // 2)

    def unseen_lot(self, *, after: int = 4) -> Stream:
        """A calm lead, then samples of one lot that the network never saw."""
        parts, lots = self._lead()
        changed_from = len(parts)
        visits = [visit for visit in unseen() if visit in self._library.rows]
        lot = self._one_of(visits).lot
        visits = [visit for visit in visits if visit.lot == lot]
        for _ in range(after):
            parts.append(self._frames(self._one_of(visits), self._length()))
            lots.append(lot)
        return stream_of(parts, lots, changed_from)

    def unrelated(self, *, after: int = 4) -> Stream:
        """A calm lead, then pictures that are no micrographs and have nothing in common."""
        if not len(self._unrelated):
            raise LookupError(NOT_SCORED)
        parts, lots = self._lead()
        changed_from = len(parts)
        for _ in range(after):
            parts.append(self._rng.choice(self._unrelated, min(self._length(), len(self._unrelated)), replace=False))
            lots.append(UNRELATED)
        return stream_of(parts, lots, changed_from)

    def ageing(self, samples: int = 34) -> Stream:
        """A calm lead, then a beam that loses 1 % of its current with each sample; shown at the nearest current there is."""
        parts, lots = self._lead()
        changed_from = len(parts)
        for age in range(1, samples + 1):
            current = nearest_current((1.0 - LOSS_A_SAMPLE) ** age)
            visit = self._one_of(self._changed(FRAMES) if current == 1.0 else self._changed(AGED_FRAMES, current=current))
            parts.append(self._frames(visit, self._length()))
            lots.append(visit.lot)
        return stream_of(parts, lots, changed_from)

    def _lead(self) -> tuple[list[NDArray[np.int64]], list[str]]:
        samples = [self._calm_sample() for _ in range(int(self._rng.integers(LEAD_SAMPLES[0], LEAD_SAMPLES[1] + 1)))]
        return [part for _, part in samples], [lot for lot, _ in samples]

    def _calm_sample(self) -> tuple[str, NDArray[np.int64]]:
        lot = self._lots[self._rng.integers(len(self._lots))]
        numbers = self._split.held_out[lot]
        return lot, self._frames(Visit(lot, numbers[self._rng.integers(len(numbers))], FRAMES), self._length())

    def _changed(self, frames: int, **how: float) -> list[Visit]:
        """What has been scored of a change, on samples that taught no signature."""
        visits = [Visit(lot, number, frames, **how) for lot in self._lots for number in self._split.changed[lot]]
        return [visit for visit in visits if visit in self._library.rows]

    def _one_of(self, visits: list[Visit]) -> Visit:
        if not visits:
            raise LookupError(NOT_SCORED)
        return visits[self._rng.integers(len(visits))]

    def _length(self) -> int:
        return int(self._rng.integers(self._lengths[0], self._lengths[1] + 1))

    def _frames(self, visit: Visit, length: int) -> NDArray[np.int64]:
        """The visit's frames in order, then drawn from them again."""
        rows = np.asarray(self._library.rows[visit], np.int64)
        return np.concatenate([rows[:length], self._rng.choice(rows, max(0, length - len(rows)))])


def nearest_current(current: float) -> float:
    """The nearest current that was imaged."""
    return min((1.0, *CURRENTS), key=lambda imaged: abs(imaged - current))


def stream_of(parts: list[NDArray[np.int64]], lots: list[str], changed_from: int, *, declared: bool = False) -> Stream:
    """Samples of the library's rows, one after the other, of which those from `changed_from` on are changed."""
    samples = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    change = sum(len(part) for part in parts[:changed_from])
    return Stream(np.concatenate(parts), samples, tuple(lots), change, declared)
