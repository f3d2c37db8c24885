"""Streams of observations with known spreads, for tests of the judge."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np

from edge_agent.core.frame import Acquisition, AcquisitionStatistics
from edge_agent.core.prediction import Score
from edge_agent.core.verdict import FrameRef, Observation
from edge_agent.drift import AlteredFrames, Calibration, CalibrationFrame, fit_calibration

LOTS = {"ebc": 0.0, "powder": 1.0}
WITHIN, BETWEEN = 0.1, 0.05
FILAMENT = (0.3, 0.3, 0.1, -0.05, -0.3, 1.5, 0.8)
"""What the test's filament change of strength 1 does to the components."""
NOTHING = (0.0,) * 7


def observation(values: np.ndarray, lot: str, number: int, sample: str | None, *, members: int = 5, blind: float = 0.0) -> Observation:
    """A frame whose components are `values` above the lot's centre."""
    entropy, information, distance, mean, sigma, noise, sharpness = (values + LOTS[lot]).tolist()
    score = Score(
        lot, 0.99, math.exp(entropy - 4), math.exp(information - 5), round(distance, 6), None, False, ((0.1,),), members,
        members_missing=tuple(f"member {place + 1}" for place in range(members, 5)),
    )  # fmt: skip
    statistics = AcquisitionStatistics(0.4 + 0.1 * mean, sigma - 3, noise - 4, sharpness - 1, blind, 0.0)
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    return Observation(FrameRef(number, f"{sample}/{number:06d}.tif", 0, sample, at), score, statistics, Acquisition(), None)


class Stage:
    """Draws samples: every sample has its own offset, every frame its own noise."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._frames = 0
        self._samples = 0

    def sample(self, frames: int, lot: str = "ebc", shift: tuple[float, ...] = NOTHING, **how: float) -> list[Observation]:
        """One sample's frames, shifted."""
        offset = self._rng.normal(0, BETWEEN, 7)
        self._samples += 1
        found = []
        for _ in range(frames):
            self._frames += 1
            values = offset + self._rng.normal(0, WITHIN, 7) + np.array(shift)
            found.append(observation(values, lot, self._frames, f"S{self._samples:04d}", **how))
        return found

    def assorted(self, frames: int) -> list[Observation]:
        """Frames that have nothing in common with each other."""
        self._samples += 1
        found = []
        for _ in range(frames):
            self._frames += 1
            lot = ("ebc", "powder")[int(self._rng.integers(2))]
            found.append(
                observation(self._rng.normal(0, 3, 7) + np.array([0, 0, 2, 0, 0, 0, 0]), lot, self._frames, f"S{self._samples:04d}")
            )
        return found


def calibration(samples: int = 12, frames: int = 24, seed: int = 0) -> Calibration:
    """A calibration of both lots with one known change."""
    stage = Stage(seed)
    held, altered = [], []
    for lot in LOTS:
        for number in range(samples):
            held += [CalibrationFrame(lot, f"G{number}", f"G{number}", o.score, o.statistics) for o in stage.sample(frames, lot)]
            altered += [CalibrationFrame(lot, f"G{number}", f"G{number}", o.score, o.statistics) for o in stage.sample(6, lot, FILAMENT)]
    return fit_calibration(held, [AlteredFrames("filament change", 1.0, altered)], model_digest="0" * 64, members=5, source="a test")
