"""Last-layer prediction rigidity of a regression, and members sampled from it.

Bigi, Chong, Ceriotti & Grasselli 2024 (arXiv:2403.02251): with last-layer features f, the training set's F, and two parameters,
variance = alpha^2 f^T (F^T F + ridge I)^-1 f. No retraining, no training targets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from edge_agent.core.errors import EdgeAgentError
from model_repo.uncertainty.rigidity import gram_of, inverse_rigidity, inverse_root

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

RIDGES = np.logspace(-8, 2, 41)
"""Tried, in units of the mean eigenvalue of F^T F."""


@dataclass(frozen=True, slots=True)
class Rigidity:
    """A fitted rigidity: alpha, the ridge, and L of shape (d + 1, d + 1), the last row and column the bias.

    L L^T = (F^T F + ridge I)^-1.
    """

    alpha: float
    ridge: float
    factor: Tensor

    def variance(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Map features (n, d) to alpha^2 / R (n,), in the squared unit of the residuals it was fitted on."""
        return np.asarray(self.alpha**2 * inverse_rigidity(torch.from_numpy(with_bias(features)), self.factor).numpy())

    def sample(self, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw changes of the last layer's weights and bias (count, d + 1) from N(0, alpha^2 (F^T F + ridge I)^-1).

        `count` is even: members come as mirrored pairs, so that their mean is the network's own answer.
        """
        root = torch.linalg.cholesky(self.factor @ self.factor.T).numpy()  # of all roots the one that leaves no sign open
        changes = self.alpha * rng.normal(size=(count // 2, len(root))) @ root.T
        return np.concatenate((changes, -changes))


def with_bias(features: NDArray[Any]) -> NDArray[np.float64]:
    """Append the constant feature that stands for the bias: (n, d) to (n, d + 1)."""
    return np.column_stack((np.asarray(features, np.float64), np.ones(len(features))))


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
    gram = gram_of(torch.from_numpy(with_bias(train))) * len(train)
    asked = torch.from_numpy(with_bias(held_out))
    return min((_fit(gram, float(ridge), asked, residuals) for ridge in RIDGES), key=lambda fit: fit[0])[1]


def _fit(gram: Tensor, ridge: float, asked: Tensor, residuals: NDArray[Any]) -> tuple[float, Rigidity]:
    """The best alpha's negative log likelihood, but for a constant, and the fit; `ridge` is in units of F^T F's mean eigenvalue."""
    factor = inverse_root(gram, ridge)
    variance = inverse_rigidity(asked, factor).numpy()
    alpha = float(np.sqrt((residuals**2 / variance).mean()))
    loss = float(np.log(variance).mean() / 2 + np.log(alpha))
    return loss, Rigidity(alpha, ridge * float(gram.trace()) / len(gram), factor)
