"""From bearable false alarms to the detector's limits, under the calibrated model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from edge_agent.drift.components import COMPONENTS

HOURS_A_MONTH = 720.0
LAYERS = 4
"""A strange sample, two strange frames, a stream that has moved, a sample that moves while it is imaged."""
TESTS = 2 * len(COMPONENTS)
"""Each component is watched upwards and downwards."""
ALLOWANCE = 0.5
"""CUSUM reference value: tuned to a shift of one standard deviation of a sample's mean."""
OVERSHOOT = 1.166
"""Siegmund's correction of a discrete-time CUSUM's limit (Sequential Analysis, 1985, section X.2)."""


@dataclass(frozen=True, slots=True)
class DriftSettings:
    """What a lab can bear.

    Attributes:
        false_alarms_per_month: false alarms in 720 hours of imaging.
        frames_per_hour: the instrument's usual pace.
    """

    false_alarms_per_month: float = 1.0
    frames_per_hour: float = 60.0

    def __post_init__(self) -> None:
        if not (self.false_alarms_per_month > 0 and self.frames_per_hour > 0):
            raise ValueError("false_alarms_per_month and frames_per_hour must be greater than 0")

    @property
    def frames_between_false_alarms(self) -> float:
        """The nominal in-control run length, frames."""
        return HOURS_A_MONTH * self.frames_per_hour / self.false_alarms_per_month


@dataclass(frozen=True, slots=True)
class Limits:
    """Where the detector alarms.

    Attributes:
        z: standard deviations, for one sample's mean and for a change within a sample.
        cusum: for the sums over samples.
    """

    z: float
    cusum: float

    @classmethod
    def of(cls, settings: DriftSettings) -> Limits:
        """Share the budget evenly over layers and tests (Bonferroni), which holds whatever their correlation.

        >>> limits = Limits.of(DriftSettings(false_alarms_per_month=1.0, frames_per_hour=60.0))
        >>> round(limits.z, 2), round(limits.cusum, 1)
        (4.92, 12.6)
        """
        run_length = max(LAYERS * TESTS * settings.frames_between_false_alarms, 100.0)
        return cls(z=NormalDist().inv_cdf(1.0 - 1.0 / run_length), cusum=_cusum_limit(run_length))


def _cusum_limit(run_length: float) -> float:
    """Limit of a one-sided Gaussian CUSUM with this mean run length (Siegmund's approximation, solved by bisection)."""
    low, high = 0.0, 200.0
    for _ in range(80):
        middle = (low + high) / 2
        b = 2 * ALLOWANCE * (middle + OVERSHOOT)
        if (math.exp(b) - 1 - b) / (2 * ALLOWANCE**2) < run_length:
            low = middle
        else:
            high = middle
    return high
