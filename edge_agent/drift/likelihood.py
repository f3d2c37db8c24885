"""Likelihood ratios of a sample's mean: shifted over usual, a mean over shifts that may matter."""

from __future__ import annotations

from math import copysign, exp
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SHIFTS = (1.0, 2.0, 4.0)
"""In standard deviations of a sample's mean of 8 frames."""
BLOCK_SHIFTS = (2.0, 4.0)
"""Within a sample, in standard deviations of a contrast of blocks."""
CAUTION = 0.5
"""Standard errors by which a lot's centre may be wrong in the direction that is watched: the same error meets every sample of it."""
FARTHEST_SCORE = 15.0
"""Normal deviate beyond which a mean is simply certain."""

Terms = tuple[tuple[float, float], ...]
"""Slope and offset of each shift: its likelihood ratio at score w is exp(slope w - offset)."""


def terms(spread: float, full_spread: float, centre_error: float) -> Terms:
    """For a mean of some frames.

    Args:
        spread: standard deviation of such means.
        full_spread: of means of 8 frames, the unit of SHIFTS.
        centre_error: standard error of the lot's centre.
    """
    slopes = [shift * full_spread / spread for shift in SHIFTS]
    return tuple((slope, slope * slope / 2 + slope * CAUTION * centre_error / spread) for slope in slopes)


BLOCK_TERMS: Terms = tuple((shift, shift * shift / 2) for shift in BLOCK_SHIFTS)


def ratios(score: float, held: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Mean likelihood ratios of a normal deviate under upward and under downward shifts."""
    cut = score if -FARTHEST_SCORE <= score <= FARTHEST_SCORE else copysign(FARTHEST_SCORE, score)
    up = down = 0.0
    for slope, offset in held:
        reach = slope * cut
        up += exp(reach - offset)
        down += exp(-reach - offset)
    return up / len(held), down / len(held)
