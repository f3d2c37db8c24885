"""Shannon's quantities of an ensemble's probabilities, in nats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALLEST_PROBABILITY = 1e-300  # p log p is 0 at p = 0; the logarithm itself is not


def entropy(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """Entropy of the distributions on the last axis, nats; shape `probabilities.shape[:-1]`, between 0 and ln(lots).

    >>> float(entropy(np.array([0.5, 0.5])).round(6))
    0.693147
    """
    p = np.asarray(probabilities, np.float64)
    nats: NDArray[np.float64] = np.maximum(-np.add.reduce(p * np.log(np.maximum(p, SMALLEST_PROBABILITY)), axis=-1), 0.0)
    return nats


def mutual_information(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """Entropy of the members' mean less the members' mean entropy, nats; the members' disagreement.

    Args:
        probabilities: shape (..., members, lots).

    Returns:
        Shape (...), never negative (Houlsby et al. 2011, arXiv:1112.5745, eq. 2).
    """
    p = np.asarray(probabilities, np.float64)
    nats: NDArray[np.float64] = np.maximum(entropy(p.mean(axis=-2)) - entropy(p).mean(axis=-1), 0.0)
    return nats
