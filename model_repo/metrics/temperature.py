"""Temperature scaling: one number that makes the members' mean as confident as it is right.

In the graph every member's logits are divided by it before the softmax; the members' mean is taken afterwards. Probabilities serve as
well as logits here, because a softmax forgets the constant between log p and the logit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import minimize_scalar

from model_repo.metrics.quality import SMALLEST_PROBABILITY, expected_calibration_error, nll

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOWEST, HIGHEST = 0.05, 20.0
"""Temperatures beyond these mean that the network is not to be mended by one."""


@dataclass(frozen=True, slots=True)
class Tempering:
    """What a temperature changes: figures of the members' mean, ECE over 20 equal bins, NLL in nats."""

    temperature: float
    nll_before: float
    nll_after: float
    ece_before: float
    ece_after: float


def temper(probabilities: NDArray[Any], temperature: float) -> NDArray[np.float64]:
    """Every distribution as it were with its logits divided by `temperature`; the lots on the last axis.

    >>> temper(np.array([0.8, 0.2]), 2.0).round(4).tolist()  # odds of 4 become 2
    [0.6667, 0.3333]
    """
    logits = np.log(np.maximum(np.asarray(probabilities, np.float64), SMALLEST_PROBABILITY)) / temperature
    grown = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=-1, keepdims=True))


def fit_temperature(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """The temperature of least NLL of the members' mean (Guo et al. 2017, arXiv:1706.04599, sec. 4.2), one for all members.

    Args:
        probabilities: shape (n, members, lots) or (n, lots), of calibration frames.
        labels: true lots, shape (n,).

    Raises:
        ValueError: there is no frame, a probability is not finite, or the best temperature lies outside 0.05 to 20.
    """
    if not len(labels):
        raise ValueError("there is no calibration frame to fit a temperature to")
    if not np.isfinite(probabilities).all():
        raise ValueError("a probability is not a finite number")

    def loss(log_temperature: float) -> float:
        return nll(_mean(temper(probabilities, float(np.exp(log_temperature)))), labels)

    found = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded", options={"xatol": 1e-5})
    temperature = float(np.exp(found.x))
    if not LOWEST * 1.01 < temperature < HIGHEST / 1.01:
        side = "every calibration answer is right" if temperature < 1 else "the answers know nothing of the lots"
        raise ValueError(f"no temperature between {LOWEST:g} and {HIGHEST:g} is best ({side}): leave the network as it is")
    return temperature


def tempering(probabilities: NDArray[Any], labels: NDArray[np.int64], temperature: float) -> Tempering:
    """Figures before and after `temperature`, on frames it was not fitted to when they are to be believed; shapes as above."""
    before, after = _mean(np.asarray(probabilities, np.float64)), _mean(temper(probabilities, temperature))
    return Tempering(
        temperature,
        nll(before, labels),
        nll(after, labels),
        expected_calibration_error(before, labels),
        expected_calibration_error(after, labels),
    )


def _mean(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(probabilities.mean(axis=1)) if probabilities.ndim == 3 else probabilities
