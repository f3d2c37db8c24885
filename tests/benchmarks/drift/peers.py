"""The textbook's detectors, each with one limit to be tuned: larger is stricter. They start afresh after an alarm.

ADWIN (Bifet & Gavalda 2007) and Page-Hinkley are river's, the reference most people use. KSWIN (Raab, Heusinger & Schleif 2020) asks what
river's asks, with the Kolmogorov-Smirnov distance itself as its limit: river's costs 0.3 ms a frame for a p-value that, the two windows
being of one size, ascends with that distance. CUSUM is Page's (1954) and EWMA Roberts' (1959), both two-sided, on values that
have mean 0 and standard deviation 1 while all is well.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np
from river import drift

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray


class Peer(Protocol):
    def update(self, value: float) -> bool:
        """Take a value; whether it alarms. The next value begins afresh after an alarm."""


class Adwin:
    """River's ADWIN; the limit is log10(1 / delta).

    Args:
        limit: beyond 300 delta is no longer a number.
        clock: frames between two looks; river's default is 32.
    """

    def __init__(self, limit: float, clock: int) -> None:
        self._adwin = drift.ADWIN(delta=10.0**-limit, clock=clock)

    def update(self, value: float) -> bool:
        self._adwin.update(value)
        return self._adwin.drift_detected


class PageHinkley:
    """River's Page-Hinkley in both directions."""

    def __init__(self, limit: float, delta: float) -> None:
        self._page = drift.PageHinkley(threshold=limit, delta=delta)

    def update(self, value: float) -> bool:
        self._page.update(value)
        return self._page.drift_detected


class Cusum:
    """Page's cumulative sums upwards and downwards, with reference value `allowance`."""

    def __init__(self, limit: float, allowance: float) -> None:
        self._limit, self._allowance = limit, allowance
        self._up = self._down = 0.0

    def update(self, value: float) -> bool:
        self._up = max(0.0, self._up + value - self._allowance)
        self._down = max(0.0, self._down - value - self._allowance)
        if max(self._up, self._down) < self._limit:
            return False
        self._up = self._down = 0.0
        return True


class Ewma:
    """Exponentially weighted mean with weight `weight` of the newest, in standard deviations of its steady state."""

    def __init__(self, limit: float, weight: float) -> None:
        self._limit, self._weight = limit * math.sqrt(weight / (2.0 - weight)), weight
        self._mean = 0.0

    def update(self, value: float) -> bool:
        self._mean += self._weight * (value - self._mean)
        if abs(self._mean) < self._limit:
            return False
        self._mean = 0.0
        return True


def one_by_one(make: Callable[[float], Peer], limit: float, values: NDArray[np.float64]) -> Iterator[int]:
    """Numbers of the values at which a fresh peer with this limit alarms."""
    peer = make(limit)
    return (number for number, value in enumerate(values.tolist()) if peer.update(value))


def kswin(window: int, latest: int, limit: float, values: NDArray[np.float64]) -> Iterator[int]:
    """Numbers of the values at which KSWIN alarms: after an alarm it keeps the latest frames and fills its window again."""
    number = window - 1
    apart = _kswin_distances(window, latest, values.tobytes())
    while number < len(values):
        found = np.flatnonzero(apart[number - window + 1 :] >= limit)
        if not len(found):
            return
        number += int(found[0])
        yield number
        number += window - latest


@functools.cache
def _kswin_distances(window: int, latest: int, stream: bytes) -> NDArray[np.float64]:
    """Kolmogorov-Smirnov distance of the latest frames from as many older ones, shape (frames - window + 1,), for every full window."""
    values = np.frombuffer(stream)
    if len(values) < window:
        return np.zeros(0)
    rng = np.random.default_rng(window)
    signs = np.repeat((1.0, -1.0), latest) / latest
    found = []
    for windows in np.array_split(np.lib.stride_tricks.sliding_window_view(values, window), len(values) // 5_000 + 1):
        older = rng.permuted(np.broadcast_to(np.arange(window - latest), (len(windows), window - latest)), axis=1)[:, :latest]
        both = np.concatenate([np.take_along_axis(windows, older, 1), windows[:, -latest:]], axis=1)
        order = np.argsort(both, axis=1)
        ordered = np.take_along_axis(both, order, 1)
        ends = np.concatenate([ordered[:, 1:] > ordered[:, :-1], np.ones((len(windows), 1), bool)], axis=1)
        found.append((np.abs(np.cumsum(signs[order], axis=1)) * ends).max(axis=1))
    return np.concatenate(found).round(9)


@dataclass(frozen=True)
class Family:
    """One peer with everything but its limit set.

    Attributes:
        name: with what sets it apart.
        parameter: what its limit is.
        alarms: numbers of the values at which it alarms, given a limit and a stream, shape (frames,).
        low, high: between which the limit is sought.
    """

    name: str
    parameter: str
    alarms: Callable[[float, NDArray[np.float64]], Iterator[int]]
    low: float
    high: float


FAMILIES: tuple[Family, ...] = (
    Family("ADWIN", "-log10 delta", partial(one_by_one, lambda limit: Adwin(limit, 32)), 0.5, 300.0),
    Family("ADWIN, looking every 4 frames", "-log10 delta", partial(one_by_one, lambda limit: Adwin(limit, 4)), 0.5, 300.0),
    Family("Page-Hinkley", "threshold", partial(one_by_one, lambda limit: PageHinkley(limit, 0.005)), 1.0, 5000.0),
    Family("Page-Hinkley, delta 0.25", "threshold", partial(one_by_one, lambda limit: PageHinkley(limit, 0.25)), 1.0, 5000.0),
    Family("KSWIN 100/30", "distance", partial(kswin, 100, 30), 0.1, 1.0),
    Family("KSWIN 300/100", "distance", partial(kswin, 300, 100), 0.1, 1.0),
    Family("CUSUM, k 0.5", "h", partial(one_by_one, lambda limit: Cusum(limit, 0.5)), 1.0, 2000.0),
    Family("CUSUM, k 1", "h", partial(one_by_one, lambda limit: Cusum(limit, 1.0)), 1.0, 2000.0),
    Family("EWMA, weight 0.05", "L", partial(one_by_one, lambda limit: Ewma(limit, 0.05)), 1.0, 60.0),
    Family("EWMA, weight 0.01", "L", partial(one_by_one, lambda limit: Ewma(limit, 0.01)), 1.0, 60.0),
)
SCORES = ("raw H", "lot-normalised D")
"""What each of them runs on."""
