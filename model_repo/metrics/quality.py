"""How good the answers are: accuracy, negative log likelihood, and how far confidence is to be believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
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
    found = reliability(probabilities, labels, bins)
    return float((found.share * np.abs(found.accuracy - found.confidence)).sum())


@dataclass(frozen=True, slots=True)
class Reliability:
    """The bins of a reliability diagram that hold anything, by rising confidence; each array of shape (occupied bins,).

    Attributes:
        confidence: the bin's mean confidence.
        accuracy: its share of right answers.
        share: its share of all answers.
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    share: NDArray[np.float64]


def reliability(probabilities: NDArray[Any], labels: NDArray[np.int64], bins: int = 20) -> Reliability:
    """Answers by `bins` equal bins of confidence (Guo et al. 2017, fig. 1); probabilities of shape (n, lots)."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    occupied = count > 0
    held = count[occupied]
    return Reliability(
        np.bincount(place, confidence, bins)[occupied] / held, np.bincount(place, right, bins)[occupied] / held, held / len(labels)
    )
