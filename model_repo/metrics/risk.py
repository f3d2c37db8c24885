"""Selective prediction: how often an accepted answer is wrong, when the least certain go to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def risk_at_coverage(probabilities: NDArray[Any], labels: NDArray[np.int64], uncertainty: NDArray[Any], coverage: float = 0.9) -> float:
    """Share of wrong answers among the `coverage` least uncertain; ties at the border count with their mean."""
    risks = risk_curve(probabilities, labels, uncertainty)
    return float(risks[max(int(np.ceil(coverage * len(labels))) - 1, 0)])


def risk_curve(probabilities: NDArray[Any], labels: NDArray[np.int64], uncertainty: NDArray[Any]) -> NDArray[np.float64]:
    """Risk after accepting 1, 2, … n answers, the least uncertain first; shape (n,).

    Ties cannot be ranked by luck: each counts with the mean of those it ties with (El-Yaniv & Wiener 2010, JMLR 11, sec. 2).
    """
    wrong = (probabilities.argmax(axis=1) != labels).astype(np.float64)
    order = np.argsort(uncertainty, kind="stable")
    level, wrong = uncertainty[order], wrong[order]
    _, tied = np.unique(level, return_inverse=True)
    wrong = (np.bincount(tied, wrong) / np.bincount(tied))[tied]
    return np.asarray(np.cumsum(wrong) / np.arange(1, len(wrong) + 1))


def area_under_risk_curve(probabilities: NDArray[Any], labels: NDArray[np.int64], uncertainty: NDArray[Any]) -> float:
    """Mean of the risk over all coverages (AURC; Geifman, Uziel & El-Yaniv 2019, arXiv:1805.08206, eq. 4)."""
    return float(risk_curve(probabilities, labels, uncertainty).mean())
