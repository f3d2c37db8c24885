"""Sets each peer to as many false alarms as ours raised on the same calm streams."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy.stats import chi2

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from tests.benchmarks.drift.peers import Family

STEPS = 12
"""Halvings of the logarithm of the limit: from 300 down to 0.5 they end 0.2 % apart."""
SURE = 0.9


@dataclass(frozen=True)
class RunLength:
    """Frames between false alarms as realised, with the exact two-sided 90 % interval of a Poisson count (Garwood 1936)."""

    frames: int
    alarms: int

    @property
    def value(self) -> float:
        """Frames an alarm; infinite when there was none."""
        return self.frames / self.alarms if self.alarms else math.inf

    @property
    def low(self) -> float:
        """Lower bound, one-sided 95 %, two-sided 90 %."""
        return self.frames / float(chi2.ppf((1 + SURE) / 2, 2 * self.alarms + 2) / 2)

    @property
    def lower_90(self) -> float:
        """Lower bound that holds 9 times in 10."""
        return self.frames / float(chi2.ppf(SURE, 2 * self.alarms + 2) / 2)

    @property
    def high(self) -> float:
        """Upper bound; infinite without an alarm."""
        return self.frames / float(chi2.ppf((1 - SURE) / 2, 2 * self.alarms) / 2) if self.alarms else math.inf


@dataclass(frozen=True)
class Tuned:
    """A peer's limit and what it realised.

    Attributes:
        limit: the loosest that raises no more than the wanted number of alarms.
        alarms: it raised on the calm streams.
        reached: whether there is such a limit; otherwise `limit` is the strictest there is.
    """

    limit: float
    alarms: int
    reached: bool


def tune(family: Family, count: Callable[[float], int], most: int) -> Tuned:
    """The loosest limit that raises at most `most` alarms, by bisection of its logarithm.

    Args:
        family: the peer.
        count: alarms on the calm streams at a limit.
        most: alarms allowed.
    """
    low, high = family.low, family.high
    if (strictest := count(high)) > most:
        return Tuned(high, strictest, reached=False)
    for _ in range(STEPS):
        middle = round(math.sqrt(low * high), 6)
        if count(middle) <= most:
            high = middle
        else:
            low = middle
    return Tuned(high, count(high), reached=True)


def count_alarms(family: Family, limit: float, streams: Sequence[NDArray[np.float64]], most: int) -> int:
    """Alarms of fresh detectors on every stream; stops counting once there are more than `most`."""
    found = 0
    for values in streams:
        for _ in family.alarms(limit, values):
            found += 1
            if found > most:
                return found
    return found
