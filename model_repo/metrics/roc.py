"""Telling strange from normal by one score: ROC and its area."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def auc(normal: NDArray[Any], strange: NDArray[Any]) -> float:
    """Probability that a strange score exceeds a normal one, ties counting half (Mann & Whitney 1947)."""
    ordered = np.sort(normal)
    below = np.searchsorted(ordered, strange, side="left")
    upto = np.searchsorted(ordered, strange, side="right")
    return float((below + upto).mean() / (2 * len(ordered)))


def roc_curve(normal: NDArray[Any], strange: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of normal and share of strange scores at or above each level that occurs, from (0, 0) to (1, 1).

    The area under straight lines between these points is `auc`.
    """
    levels = np.unique(np.concatenate((normal, strange)))[::-1]
    rates = [1 - np.searchsorted(np.sort(scores), levels, side="left") / len(scores) for scores in (normal, strange)]
    false_alarms, found = (np.concatenate(([0.0], rate)) for rate in rates)
    return false_alarms, found
