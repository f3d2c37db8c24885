"""Variances of many lots, each from few samples, moderated by what they have in common.

Sixteen samples tell a lot's variance to a third. Thirty lots tell how variances differ from lot to lot: if variances are drawn from a
scaled inverse chi-squared distribution with d0 degrees of freedom around s0^2, the best guess for one lot is the mean of its own and s0^2,
weighed by degrees of freedom, and its t statistic has d + d0 of them (Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3(1), 3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean, variance
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST_LOTS = 5
"""Fewer do not tell how variances differ from lot to lot."""
MOST_DEGREES = 60.0
"""No prior is believed further than this many degrees of freedom, however alike the lots."""


@dataclass(frozen=True, slots=True)
class Prior:
    """What the lots' variances have in common.

    Attributes:
        variance: s0^2, in the component's own unit squared.
        degrees: d0, of freedom; 0 moderates nothing.
    """

    variance: float
    degrees: float

    @classmethod
    def of(cls, variances: Sequence[float], degrees: Sequence[int]) -> Prior:
        """Fit by the moments of log variances (Smyth 2004, section 6.2).

        Args:
            variances: one lot's each.
            degrees: of freedom they were estimated with; lots with none are left out.
        """
        pairs = [(value, d) for value, d in zip(variances, degrees, strict=True) if d > 0 and value > 0.0]
        if len(pairs) < FEWEST_LOTS:
            return cls(0.0, 0.0)
        centred = [math.log(value) - _digamma(d / 2) + math.log(d / 2) for value, d in pairs]
        excess = variance(centred) - fmean(_trigamma(d / 2) for _, d in pairs)
        d0 = min(MOST_DEGREES, 2 * _inverse_trigamma(excess)) if excess > 0 else MOST_DEGREES
        return cls(math.exp(fmean(centred) + _digamma(d0 / 2) - math.log(d0 / 2)), d0)

    def moderate(self, value: float, degrees: int) -> tuple[float, float]:
        """A lot's moderated variance and its degrees of freedom."""
        total = self.degrees + degrees
        return (self.degrees * self.variance + degrees * value) / total, total


def _digamma(x: float) -> float:
    """Abramowitz & Stegun 6.3.18, after recurrence to x >= 6."""
    low = 0.0
    while x < 6.0:
        low -= 1.0 / x
        x += 1.0
    square = 1.0 / (x * x)
    return low + math.log(x) - 0.5 / x - square * (1 / 12 - square * (1 / 120 - square / 252))


def _trigamma(x: float) -> float:
    """Abramowitz & Stegun 6.4.12, after recurrence to x >= 6."""
    low = 0.0
    while x < 6.0:
        low += 1.0 / (x * x)
        x += 1.0
    square = 1.0 / (x * x)
    return low + 1.0 / x + square / 2 + square / x * (1 / 6 - square * (1 / 30 - square / 42))


def _inverse_trigamma(y: float) -> float:
    """By bisection; y > 0."""
    low, high = 1e-6, 1e6
    for _ in range(100):
        middle = math.sqrt(low * high)
        if _trigamma(middle) > y:
            low = middle
        else:
            high = middle
    return high
