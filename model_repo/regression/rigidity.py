"""Last-layer prediction rigidity of a regression, and members sampled from it.

Bigi, Chong, Ceriotti & Grasselli 2024 (arXiv:2403.02251): with last-layer features f, the training set's F, and two parameters,
variance = alpha^2 f^T (F^T F + ridge I)^-1 f. No retraining, no training targets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.core.errors import EdgeAgentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

RIDGES = np.logspace(-8, 2, 41)
"""Tried, in units of the mean eigenvalue of F^T F."""


@dataclass(frozen=True, slots=True)
class Rigidity:
    """A fitted rigidity: alpha, the ridge, and (F^T F + ridge I)^-1 of shape (d + 1, d + 1), the last row and column the bias."""

    alpha: float
    ridge: float
    inverse: NDArray[np.float64]

    def variance(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Map features (n, d) to alpha^2 / R (n,), in the squared unit of the residuals it was fitted on."""
        return np.asarray(self.alpha**2 * inverse_rigidity(features, self.inverse))

    def sample(self, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw changes of the last layer's weights and bias (count, d + 1) from N(0, alpha^2 (F^T F + ridge I)^-1).

        `count` is even: members come as mirrored pairs, so that their mean is the network's own answer.
        """
        root = np.linalg.cholesky(self.inverse)
        changes = self.alpha * rng.normal(size=(count // 2, len(root))) @ root.T
        return np.concatenate((changes, -changes))


def with_bias(features: NDArray[Any]) -> NDArray[np.float64]:
    """Append the constant feature that stands for the bias: (n, d) to (n, d + 1)."""
    return np.column_stack((np.asarray(features, np.float64), np.ones(len(features))))


def inverse_rigidity(features: NDArray[Any], inverse: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give f^T (F^T F + ridge I)^-1 f (n,) for each of the features (n, d)."""
    f = with_bias(features)
    return np.asarray(np.einsum("ni,ni->n", f @ inverse, f))


def fit_rigidity(train: NDArray[Any], held_out: NDArray[Any], residuals: NDArray[Any]) -> Rigidity:
    """Choose ridge and alpha by the Gaussian likelihood of held-out residuals; alpha has a closed form for every ridge.

    Args:
        train: training features (n, d).
        held_out: validation features (m, d).
        residuals: truth less prediction of the validation data (m,).

    Raises:
        EdgeAgentError: features or residuals that are not finite.
    """
    if not (np.isfinite(train).all() and np.isfinite(held_out).all() and np.isfinite(residuals).all()):
        raise EdgeAgentError("prediction rigidity", "features or residuals are not finite", "look at the trained network: it has diverged")
    f = with_bias(train)
    values, vectors = np.linalg.eigh(f.T @ f)
    values = np.maximum(values, 0)
    projected = (with_bias(held_out) @ vectors) ** 2
    best: tuple[float, float, float] | None = None
    for ridge in RIDGES * values.mean():
        variance = projected @ (1 / (values + ridge))
        alpha = float(np.sqrt((residuals**2 / variance).mean()))
        loss = float(np.log(variance).mean() / 2 + np.log(alpha))
        if best is None or loss < best[0]:
            best = (loss, alpha, float(ridge))
    assert best is not None  # noqa: S101 - RIDGES is not empty
    _, alpha, ridge = best
    return Rigidity(alpha, ridge, (vectors / (values + ridge)) @ vectors.T)
