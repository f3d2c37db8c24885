"""From bearable false alarms to the detector's limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from edge_agent.drift.components import COMPONENTS

HOURS_A_MONTH = 720.0
LOOSENESS = 2.0
"""By how much the bound of `edge_agent.drift.evidence` is loose: evidence jumps past its limit, and Student's tails are taken for granted.

Measured on streams drawn from the random-effects model itself; a limit lower by this factor still realises what was asked for. The worst
are samples about as long as the limit, each of which earns enough for an alarm: 1.2 times what was asked for, with 220 to 300 frames a
sample and 300 between alarms; with samples of 30 frames it is 4 times.
"""
FEWEST_FRAMES = 20.0
"""No setting asks for more alarms than one in so many frames."""


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
        frames: evidence, in frames between false alarms, at which it alarms: those asked for over LOOSENESS.
        z: standard deviations beyond which a single frame is out of the ordinary: one in so many frames is, in some component.
    """

    frames: float
    z: float

    @classmethod
    def of(cls, settings: DriftSettings) -> Limits:
        """The limits of what a lab can bear.

        >>> limits = Limits.of(DriftSettings(false_alarms_per_month=1.0, frames_per_hour=60.0))
        >>> round(limits.frames), round(limits.statistic, 2), round(limits.z, 2)
        (21600, 4.33, 4.65)
        """
        frames = max(settings.frames_between_false_alarms, FEWEST_FRAMES)
        return cls(frames=frames / LOOSENESS, z=NormalDist().inv_cdf(1.0 - 1.0 / (2 * len(COMPONENTS) * frames)))

    @property
    def statistic(self) -> float:
        """The threshold that is told: decimal logarithm of `frames`."""
        return math.log10(self.frames)


def statistic(frames: float) -> float:
    """Evidence as it is told and drawn: its decimal logarithm, no less than 0."""
    return math.log10(max(1.0, frames))
