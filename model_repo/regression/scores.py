"""How good Gaussian predictions of a number are: error, likelihood, sharpness, calibration, with intervals by bootstrap over groups.

Definitions as in Tran et al. 2020 (doi:10.1088/2632-2153/ab7e1a), which UnlockNN follows, and the Uncertainty Toolbox (Chung et al.
2021, arXiv:2109.10254). Every figure is a function of sums over the compounds, so that a bootstrap replicate is a weighted sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from edge_agent.core.errors import EdgeAgentError
from model_repo.metrics import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LEVELS = np.linspace(0.01, 0.99, 99)
BINS = 10
REPLICATES = 1000
NAMES = ("mae", "rmse", "nll", "sharpness", "calibration_error", "miscalibration_area", "ence")


@dataclass(frozen=True, slots=True)
class Scores:
    """What one method reached.

    Attributes:
        figures: by the names in NAMES.
        observed: share of truths inside the central interval of each of LEVELS (99,).
        bins: root-mean predicted variance and root-mean-square error (10, 2) of equal parts of the data, by predicted variance.
    """

    figures: dict[str, Interval]
    observed: NDArray[np.float64]
    bins: NDArray[np.float64]


def score(truth: NDArray[Any], mean: NDArray[Any], variance: NDArray[Any], groups: Sequence[str], rng: np.random.Generator) -> Scores:
    """Score Gaussian predictions (n,), resampling whole groups (n,) for the intervals.

    `mae`, `rmse`: of the mean. `nll`: mean negative log density, nats. `sharpness`: root of the mean variance. `calibration_error`:
    root-mean-square, over 99 levels, of the gap between a central interval's level and the share of truths in it;
    `miscalibration_area`: area between that curve and the diagonal. `ence`: mean over ten parts of |RMV - RMSE| / RMV (Levi et al. 2022).

    Raises:
        EdgeAgentError: a variance that is not positive and finite.
    """
    if not (np.isfinite(mean).all() and np.isfinite(variance).all() and (variance > 0).all()):
        raise EdgeAgentError("the predictions", "hold a mean or variance that is not finite and positive", "look at the method's fit")
    sums = _sums(truth, mean, variance)
    names = np.asarray(groups)
    _, place = np.unique(names, return_inverse=True)
    by_group = np.zeros((place.max() + 1, sums.shape[1]))
    np.add.at(by_group, place, sums)
    whole = by_group.sum(axis=0, keepdims=True)
    counts = rng.multinomial(len(by_group), np.full(len(by_group), 1 / len(by_group)), REPLICATES)
    values, replicates = _figures(whole), _figures(counts.astype(np.float64) @ by_group)
    figures = {name: Interval(float(values[name][0]), *(float(q) for q in np.percentile(replicates[name], [2.5, 97.5]))) for name in NAMES}
    return Scores(figures, _observed(whole)[0], np.stack([part[0] for part in _binned(whole)], axis=1))


def _sums(truth: NDArray[Any], mean: NDArray[Any], variance: NDArray[Any]) -> NDArray[np.float64]:
    """One row a datum: count, |error|, error^2, NLL, variance, 99 hits, then count, variance and error^2 in each bin."""
    error = np.asarray(truth, np.float64) - mean
    nll = 0.5 * (np.log(2 * np.pi * variance) + error**2 / variance)
    hits = np.abs(error / np.sqrt(variance))[:, None] <= ndtri((1 + LEVELS) / 2)
    rank = np.argsort(np.argsort(variance, kind="stable"), kind="stable")
    member = (rank * BINS // len(error))[:, None] == np.arange(BINS)
    binned = [member * value for value in (1.0, np.asarray(variance)[:, None], (error**2)[:, None])]
    return np.column_stack((np.ones(len(error)), np.abs(error), error**2, nll, variance, hits, *binned))


def _figures(sums: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    count = sums[:, 0]
    gap = np.abs(_observed(sums) - LEVELS)
    ends = np.zeros((len(sums), 1))
    predicted, found = _binned(sums)
    return {
        "mae": sums[:, 1] / count,
        "rmse": np.sqrt(sums[:, 2] / count),
        "nll": sums[:, 3] / count,
        "sharpness": np.sqrt(sums[:, 4] / count),
        "calibration_error": np.sqrt((gap**2).mean(axis=1)),
        "miscalibration_area": np.trapezoid(np.hstack((ends, gap, ends)), np.concatenate(([0], LEVELS, [1])), axis=1),
        "ence": np.nanmean(np.abs(predicted - found) / predicted, axis=1),
    }


def _observed(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(sums[:, 5 : 5 + len(LEVELS)] / sums[:, :1])


def _binned(sums: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    counts, variance, squared = np.split(sums[:, 5 + len(LEVELS) :], 3, axis=1)
    counts = np.where(counts > 0, counts, np.nan)
    return np.sqrt(variance / counts), np.sqrt(squared / counts)
