"""How far features lie from those of the trained lots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Mahalanobis(nn.Module):
    """Squared Mahalanobis distance to the nearest lot's mean, for several networks' features side by side.

    Args:
        whitening: shape (networks, channels, channels); features times it have the unit matrix as covariance within lots.
        centres: shape (networks, lots, channels), the lots' means after whitening.
    """

    def __init__(self, whitening: Tensor, centres: Tensor) -> None:
        super().__init__()
        self.register_buffer("whitening", whitening)
        self.register_buffer("centres", centres)
        self.whitening: Tensor
        self.centres: Tensor

    def forward(self, features: Tensor) -> Tensor:
        """Map features [batch, networks, channels] to distances [batch, networks].

        |x - c|^2 is written as |x|^2 - 2 x c + |c|^2: three matrix products instead of a (batch, networks, lots, channels) array.
        """
        x = torch.matmul(features.transpose(0, 1), self.whitening)
        cross = torch.matmul(x, self.centres.transpose(1, 2))
        squares = (x * x).sum(dim=2, keepdim=True) - 2 * cross + (self.centres * self.centres).sum(dim=2).unsqueeze(1)
        return torch.relu(squares).amin(dim=2).transpose(0, 1)


def fit_mahalanobis(features: NDArray[np.float64], labels: NDArray[np.int64], lots: int, shrinkage: float) -> tuple[Tensor, Tensor]:
    """One network's whitening (channels, channels) and whitened lot means (lots, channels).

    The covariance within lots is shared by the lots (Lee et al. 2018, arXiv:1807.03888, eq. 1) and shrunk towards a multiple
    of the unit matrix with the same trace, since features of a few sources do not fill their space.
    """
    means = np.stack([features[labels == lot].mean(axis=0) for lot in range(lots)])
    residual = features - means[labels]
    covariance = residual.T @ residual / (len(features) - lots)
    channels = len(covariance)
    target = np.eye(channels) * np.trace(covariance) / channels
    values, vectors = np.linalg.eigh((1 - shrinkage) * covariance + shrinkage * target)
    whitening = vectors / np.sqrt(values)
    return torch.from_numpy(whitening).float(), torch.from_numpy(means @ whitening).float()
