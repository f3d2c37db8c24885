"""How accuracy grows with the number of training samples, and how many a wanted accuracy would take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from model_repo.metrics.intervals import Interval, resamples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model_repo.metrics.intervals import Groups

EXPONENTS = np.geomspace(0.05, 3.0, 150)
"""Exponents tried; below the first a curve could not be told from a logarithm, above the last it is flat after its first point."""
FEWEST_SIZES = 3


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """Accuracy after n training samples: asymptote - amplitude * n ** -exponent (Hestness et al. 2017, arXiv:1712.00409, eq. 1)."""

    asymptote: float
    amplitude: float
    exponent: float

    def at(self, samples: NDArray[Any] | float) -> NDArray[np.float64]:
        """Accuracy expected after so many training samples."""
        return np.asarray(self.asymptote - self.amplitude * np.asarray(samples, np.float64) ** -self.exponent)

    def samples_for(self, accuracy: float) -> float:
        """Training samples it would take, at least 1; infinite when the law never gets there.

        >>> round(PowerLaw(1.0, 0.5, 0.5).samples_for(0.9), 6)
        25.0
        """
        missing = self.asymptote - accuracy
        if missing <= 0:
            return float("inf")
        needed = np.log(max(self.amplitude, 1e-300) / missing) / self.exponent
        return float(max(np.exp(needed), 1.0)) if needed < 700 else float("inf")


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """A measured curve and its continuation.

    Attributes:
        samples: training samples of each run, shape (k,).
        observed: the measured mean at each, with its interval over test samples.
        law: fitted to the measured means.
        grid: numbers of training samples, from the smallest run on, shape (g,).
        low: 95 % band of the law over test samples, shape (g,).
        high: likewise.
        needed: training samples for the wanted accuracy; infinite where the law stays below.
        wanted: that accuracy.
    """

    samples: NDArray[np.float64]
    observed: tuple[Interval, ...]
    law: PowerLaw
    grid: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    needed: Interval
    wanted: float


def fit_power_law(samples: NDArray[Any], values: NDArray[Any]) -> PowerLaw:
    """Least squares with asymptote in [0, 1], amplitude >= 0 and exponent in [0.05, 3].

    Args:
        samples: numbers of training samples, shape (k,), three different ones at least.
        values: accuracy or mean confidence at each, in [0, 1], shape (k,).

    Raises:
        ValueError: too few different numbers, one below 1, or a value outside [0, 1].
    """
    size, value = np.asarray(samples, np.float64), np.asarray(values, np.float64)
    _check(size, value[None])
    asymptote, share, exponent = _fit(size, value[None])
    return _law(asymptote[0], share[0], exponent[0], size.max())


def learning_curve(
    samples: NDArray[Any],
    outcomes: NDArray[Any],
    groups: Groups,
    wanted: float,
    *,
    rng: np.random.Generator,
    replicates: int = 500,
    ahead: float = 10.0,
) -> LearningCurve:
    """Fit and continue a learning curve; its intervals are over test samples, resampled alike at every size.

    What another draw of TRAINING samples would change is not in the intervals.

    Args:
        samples: training samples of each run, shape (k,).
        outcomes: of every run for the same test frames: right (0 or 1) or the confidence, shape (k, n).
        groups: the test frames' samples, shape (n,).
        wanted: accuracy whose number of training samples is asked for.
        rng: source of the replicates.
        replicates: how many.
        ahead: how far the grid goes on, as a multiple of the largest run.

    Raises:
        ValueError: as `fit_power_law`.
    """
    size, held = np.asarray(samples, np.float64), np.asarray(outcomes, np.float64)
    _check(size, held.T)
    draws = np.array([held[:, index].mean(axis=1) for (index,) in resamples([groups], rng, replicates)])
    laws = [_law(a, b, c, size.max()) for a, b, c in zip(*_fit(size, draws), strict=True)]
    mean = held.mean(axis=1)
    law = fit_power_law(size, mean)
    grid = np.geomspace(size.min(), ahead * size.max(), 60)
    low, high = np.percentile([one.at(grid) for one in laws], [2.5, 97.5], axis=0)
    needed = [one.samples_for(wanted) for one in laws]
    fewest = float(np.percentile(needed, 2.5, method="lower"))  # no interpolation: one of the two may be infinite
    most = float(np.percentile(needed, 97.5, method="higher"))
    below, above = np.percentile(draws, [2.5, 97.5], axis=0)
    observed = tuple(Interval(float(m), float(b), float(a)) for m, b, a in zip(mean, below, above, strict=True))
    return LearningCurve(size, observed, law, grid, low, high, Interval(law.samples_for(wanted), fewest, most), wanted)


def _check(size: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    if len(np.unique(size)) < FEWEST_SIZES:
        raise ValueError(f"{len(np.unique(size))} different numbers of training samples: a curve needs {FEWEST_SIZES} at least")
    if size.min() < 1:
        raise ValueError("a number of training samples is below 1")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("an accuracy or confidence lies outside 0 to 1")


def _law(asymptote: float, share: float, exponent: float, largest: float) -> PowerLaw:
    return PowerLaw(float(asymptote), float(share * largest**exponent), float(exponent))


def _fit(size: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Asymptote, amplitude at the largest size, and exponent of each row of `values`, shape (r, k).

    For a given exponent the rest is linear, so every exponent is tried: no start value, no local minimum.
    """
    best = np.full(len(values), np.inf)
    found = np.zeros((3, len(values)))
    for exponent in EXPONENTS:
        x = (size / size.max()) ** -exponent
        mean = values.mean(axis=1)
        free = np.maximum(-((values - mean[:, None]) @ (x - x.mean())) / ((x - x.mean()) ** 2).sum(), 0.0)
        asymptote = mean + free * x.mean()
        over = asymptote > 1  # then the best lies on the border
        amplitude = np.where(over, ((1 - values) @ x) / (x @ x), free)
        asymptote = np.where(over, 1.0, asymptote)
        error = ((values - asymptote[:, None] + amplitude[:, None] * x) ** 2).sum(axis=1)
        better = error < best - 1e-15
        best = np.where(better, error, best)
        found = np.where(better, [asymptote, amplitude, np.full(len(values), exponent)], found)
    return found[0], found[1], found[2]
