"""The figures of an evaluation: accuracy, NLL, calibration error, risk, AUC, and intervals that know which images belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

SMALLEST_PROBABILITY = 1e-12


def accuracy(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """Share of right answers; probabilities of shape (n, lots)."""
    return float((probabilities.argmax(axis=1) == labels).mean())


def nll(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """Mean negative logarithm of the true lot's probability, nats."""
    chosen = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(chosen, SMALLEST_PROBABILITY)).mean())


def expected_calibration_error(probabilities: NDArray[Any], labels: NDArray[np.int64], bins: int = 20) -> float:
    """Mean gap of confidence and accuracy over equal bins, weighted by their shares (Guo et al. 2017, arXiv:1706.04599, eq. 3)."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(place, right - confidence, bins)
    return float(np.abs(gaps).sum() / len(labels))


def risk_at_coverage(probabilities: NDArray[Any], labels: NDArray[np.int64], uncertainty: NDArray[Any], coverage: float = 0.9) -> float:
    """Share of wrong answers among the `coverage` least uncertain; ties at the border count with their mean."""
    risks = risk_curve(probabilities, labels, uncertainty)
    return float(risks[max(int(np.ceil(coverage * len(labels))) - 1, 0)])


def risk_curve(probabilities: NDArray[Any], labels: NDArray[np.int64], uncertainty: NDArray[Any]) -> NDArray[np.float64]:
    """Risk after accepting 1, 2, … n answers, the least uncertain first; shape (n,)."""
    wrong = (probabilities.argmax(axis=1) != labels).astype(np.float64)
    order = np.argsort(uncertainty, kind="stable")
    level, wrong = uncertainty[order], wrong[order]
    _, tied = np.unique(level, return_inverse=True)
    wrong = (np.bincount(tied, wrong) / np.bincount(tied))[tied]
    return np.asarray(np.cumsum(wrong) / np.arange(1, len(wrong) + 1))


def auc(normal: NDArray[Any], strange: NDArray[Any]) -> float:
    """Probability that a strange score exceeds a normal one, ties counting half (Mann & Whitney 1947)."""
    ordered = np.sort(normal)
    below = np.searchsorted(ordered, strange, side="left")
    upto = np.searchsorted(ordered, strange, side="right")
    return float((below + upto).mean() / (2 * len(ordered)))


def bootstrap_interval(
    figure: Callable[..., float], group_lists: Sequence[Sequence[str]], *, rng: np.random.Generator, replicates: int = 500
) -> tuple[float, float]:
    """95 % percentile interval of `figure`, called with one index array for each list, by resampling whole groups.

    Args:
        figure: takes an index array for each of `group_lists`.
        group_lists: for each population, every element's group.
        rng: source of the replicates.
        replicates: how many.
    """
    members = []
    for groups in group_lists:
        labels = np.asarray(groups)
        members.append([np.flatnonzero(labels == group) for group in dict.fromkeys(groups)])
    found = [figure(*(np.concatenate([m[k] for k in rng.integers(0, len(m), len(m))]) for m in members)) for _ in range(replicates)]
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)
