"""How soon a shift would be told: the judge's evidence on streams drawn from the calibration's own random-effects model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from statistics import median
from typing import TYPE_CHECKING

from edge_agent.core.verdict import FrameRef
from edge_agent.drift.components import COMPONENTS
from edge_agent.drift.evidence import Evidence
from edge_agent.drift.sample import Held, Sample
from edge_agent.drift.tables import LotTable
from edge_agent.drift.thresholds import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge_agent.core.shift import Shift
    from edge_agent.drift.calibration import Calibration, Spread
    from edge_agent.drift.tables import Vector
    from edge_agent.drift.thresholds import DriftSettings

FRAMES_A_SAMPLE = 32
LEAD_SAMPLES = 5
MOST_SAMPLES = 20
"""A shift that is silent for so many samples counts as missed."""
REPEATS = 40
SEED = 2021
NOWHERE = FrameRef(0, "", 0, None, datetime(2000, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What is to be expected of one shift.

    Attributes:
        shift: which.
        frames: median number of frames from the change to its alarm; None where most are missed.
        in_first_sample: share told within the first changed sample.
        found: share told within MOST_SAMPLES samples.
    """

    shift: Shift
    frames: float | None
    in_first_sample: float
    found: float

    def __str__(self) -> str:
        if self.frames is None:
            shown = f"{MOST_SAMPLES} samples of {FRAMES_A_SAMPLE} frames"
            return f"{self.shift.words}: would mostly be missed ({self.found:.0%} told within {shown})"
        share = f"in {self.in_first_sample:.0%} of cases within the first sample"
        return f"{self.shift.words}: told after {self.frames:.0f} frames (median), {share}"


def foresee(calibration: Calibration, settings: DriftSettings, shift: Shift) -> Foreseen:
    """Draw streams of samples of random lots, shift them, and count frames to the alarm.

    Raises:
        ValueError: the calibration holds no such change, or none as strong.
    """
    tables = [LotTable.of(name, lot, declared=True) for name, lot in calibration.lots.items()]
    shifts = [_shift_of(table, shift) for table in tables]
    limit = Limits.of(settings).frames
    rng = Random(SEED)
    delays, first = [], 0
    for _ in range(REPEATS):
        evidence = Evidence()
        for _ in range(LEAD_SAMPLES):
            table = rng.choice(tables)
            for _ in _frames(rng, table, (0.0,) * len(COMPONENTS), evidence):
                pass
        shown, delay = 0, None
        for number in range(MOST_SAMPLES):
            index = rng.randrange(len(tables))
            for strength in _frames(rng, tables[index], shifts[index], evidence):
                shown += 1
                if strength >= limit:
                    delay = shown
                    break
            if delay is not None:
                first += number == 0
                break
        delays.append(delay)
    told = [delay for delay in delays if delay is not None]
    middle = median(delay if delay is not None else float("inf") for delay in delays)
    return Foreseen(shift, None if middle == float("inf") else middle, first / REPEATS, len(told) / REPEATS)


def as_if(calibration: Calibration, samples: int) -> Calibration:
    """The same calibration, as it would be from another number of samples a lot: only how sure it is changes."""

    def spread(held: Spread, before: int) -> Spread:
        if held.degrees is None:
            return held
        degrees = max(1.0, held.degrees + samples - before)
        return held.model_copy(update={"degrees": degrees, "centre_error": held.centre_error * (before / samples) ** 0.5})

    lots = {
        name: lot.model_copy(
            update={"spread": {place: spread(held, lot.samples) for place, held in lot.spread.items()}, "samples": samples}
        )
        for name, lot in calibration.lots.items()
    }
    return calibration.model_copy(update={"lots": lots})


def _frames(rng: Random, table: LotTable, shift: Vector, evidence: Evidence) -> Iterator[float]:
    """One sample, frame by frame: the evidence after each; the sample is added to it at the end."""
    sample = Sample(None, NOWHERE)
    own = [
        centre + moved + rng.gauss(0.0, scale * shared**0.5)
        for centre, moved, scale, shared in zip(table.centre, shift, table.scale, table.shared, strict=True)
    ]
    scores: Sequence[float] = ()
    for _ in range(FRAMES_A_SAMPLE):
        values = tuple(place + rng.gauss(0.0, within) for place, within in zip(own, table.within, strict=True))
        sample.add(NOWHERE, values, table, Held(table.lot, []))
        scores = sample.scores(table)
        yield evidence.look(sample, scores, table).frames
    evidence.end_sample(sample, scores, table)


def _shift_of(table: LotTable, shift: Shift) -> Vector:
    """The components' mean shift, in their own units, between the strengths that were calibrated."""
    path = next((change for change in table.changes if change.change == shift.change), None)
    if path is None:
        raise ValueError(f"the calibration does not know what a {shift.change} does to {table.lot}")
    if shift.strength > path.strengths[-1]:
        raise ValueError(f"the calibration knows a {shift.change} up to {path.strengths[-1]:g}, not {shift.strength:g} ({shift.words})")
    upper = next(index for index, strength in enumerate(path.strengths) if strength >= shift.strength)
    low, high = path.strengths[upper - 1], path.strengths[upper]
    part = (shift.strength - low) / (high - low)
    return tuple(
        (begin + part * (end - begin)) * scale
        for begin, end, scale in zip(path.places[upper - 1], path.places[upper], table.scale, strict=True)
    )
