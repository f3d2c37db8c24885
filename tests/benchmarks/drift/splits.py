"""Calibration splits: which samples calibrate the judge, and which ones its streams are made of."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.drift import AlteredFrames, Calibration, CalibrationFrame, fit_calibration
from tests.benchmarks.drift.pool import FIRST_SAMPLE, Visit
from tests.benchmarks.drift.study import CHANGED_SAMPLES, FRAMES, STRENGTHS, calm, filament

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.benchmarks.drift.library import Library

SPLITS = 6
FIRST_SPLIT = 100
"""Splits below were looked at while the judge's constants were chosen; those from here on were not."""
CALIBRATION_SAMPLES = 16
"""A lot, as many as the shipped model's own calibration has."""
ALTERED_SAMPLES = CHANGED_SAMPLES // 2
"""Of the samples that were also imaged after a change, those that teach a calibration its signatures; the others make its events."""
FEWEST_SAMPLES = 6
"""Lots of which fewer samples have been scored stay out, on both sides."""
FARTHEST = 10.0
"""Standard deviations at which the peers' inputs are cut, so that one absurd frame cannot decide a tuning."""
SMALLEST_SPREAD = 0.05
"""Of a lot's log distance: the judge's own floor."""


@dataclass(frozen=True)
class Split:
    """One calibration and what is left for streams.

    Attributes:
        number: of the split.
        calibration: fitted on 16 samples of each lot.
        held_out: the samples of each lot that no calibration frame comes from.
        changed: of these, the ones that were imaged again after a change.
        entropy: shape (library's frames,), the entropy less its mean over the calibration frames, over their standard deviation: raw H
            up to one affine map, without regard to the lot.
        distance: shape (library's frames,), the log distance less the mean of the frame's predicted lot, over that lot's standard
            deviation: the judge's own D, as a peer would take it.
    """

    number: int
    calibration: Calibration
    held_out: dict[str, list[int]]
    changed: dict[str, list[int]]
    entropy: NDArray[np.float64]
    distance: NDArray[np.float64]


def make_split(library: Library, number: int, *, model_digest: str, members: int) -> Split:
    """Draw and fit split `number`; only of what the library holds."""
    rng = np.random.default_rng((number, 1))
    teachers = list(itertools.combinations(range(FIRST_SAMPLE, FIRST_SAMPLE + CHANGED_SAMPLES), ALTERED_SAMPLES))
    taught = set(teachers[number % len(teachers)])
    there: dict[str, list[int]] = defaultdict(list)
    for visit in calm():
        if visit in library.rows:
            there[visit.lot].append(visit.sample)
    frames: list[CalibrationFrame] = []
    held_out, changed = {}, {}
    lots = {lot: samples for lot, samples in sorted(there.items()) if len(samples) >= FEWEST_SAMPLES and taught <= set(samples)}
    for lot, samples in lots.items():
        others = [sample for sample in samples if sample >= FIRST_SAMPLE + CHANGED_SAMPLES]
        wanted = min(CALIBRATION_SAMPLES, len(samples) // 2) - len(taught)
        chosen = sorted(taught | {int(sample) for sample in rng.choice(others, wanted, replace=False)})
        held_out[lot] = [sample for sample in samples if sample not in chosen]
        changed[lot] = [sample for sample in held_out[lot] if sample < FIRST_SAMPLE + CHANGED_SAMPLES]
        for sample in chosen:
            frames += _frames(library, Visit(lot, sample, FRAMES))
    calibration = fit_calibration(
        frames,
        _altered(library, taught, set(lots)),
        model_digest=model_digest,
        members=members,
        source=f"split {number} of the drift bench",
    )
    return Split(number, calibration, held_out, changed, _entropy(library, frames), _distance(library, calibration))


def _frames(library: Library, visit: Visit) -> list[CalibrationFrame]:
    name = f"{visit.lot}-{visit.sample}"
    return [CalibrationFrame(visit.lot, name, name, frame.score, frame.statistics) for frame in library.of(visit)]


def _altered(library: Library, taught: set[int], lots: set[str]) -> list[AlteredFrames]:
    """The filament changes of which every lot has been imaged."""
    found = []
    for strength in STRENGTHS:
        visits = [visit for visit in filament(strength) if visit.sample in taught and visit in library.rows]
        if {visit.lot for visit in visits} >= lots:
            frames = [frame for visit in visits if visit.lot in lots for frame in _frames(library, visit)]
            found.append(AlteredFrames("filament change", strength, frames))
    return found


def _entropy(library: Library, frames: list[CalibrationFrame]) -> NDArray[np.float64]:
    usual = np.array([frame.score.entropy for frame in frames if frame.score is not None])
    return np.clip((library.entropy - usual.mean()) / usual.std(ddof=1), -FARTHEST, FARTHEST)


def _distance(library: Library, calibration: Calibration) -> NDArray[np.float64]:
    places = {}
    for lot, held in calibration.distances.items():
        centre = float(held.values @ held.weights)
        places[lot] = centre, max(float(np.sqrt(held.weights @ (held.values - centre) ** 2)), SMALLEST_SPREAD)
    centre, spread = np.array([places.get(lot, (0.0, 1.0)) for lot in library.predicted]).T
    return np.clip((library.distance - centre) / spread, -FARTHEST, FARTHEST)
