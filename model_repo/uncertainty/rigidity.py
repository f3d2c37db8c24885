"""Last-layer prediction rigidity of frames and, since a pooled prediction is a mean over places, of each place of a frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class InverseRigidity(nn.Module):
    """n f^T (F^T F + s^2 I)^-1 f of Bigi et al. 2024 (arXiv:2403.02251, eq. 8): large where training says little.

    Scaled by the number n of training rows, so that its mean over them is the number of effective channels whatever n is.

    Args:
        factors: shape (networks, channels, channels), L with L L^T = n (F^T F + s^2 I)^-1.
    """

    def __init__(self, factors: Tensor) -> None:
        super().__init__()
        self.register_buffer("factors", factors)
        self.factors: Tensor

    def forward(self, features: Tensor) -> Tensor:
        """Map features [batch, networks, channels] to inverse rigidities [batch, networks]."""
        projected = torch.matmul(features.transpose(0, 1), self.factors)
        return (projected * projected).sum(dim=2).transpose(0, 1)

    def local(self, places: Tensor) -> Tensor:
        """Map features before pooling [batch, networks * channels, rows, columns] to a map [batch, rows, columns], mean over networks."""
        networks, channels, _ = self.factors.shape
        weights = self.factors.transpose(1, 2).reshape(networks * channels, channels, 1, 1)
        projected = functional.conv2d(places, weights, groups=networks)
        local: Tensor = (projected * projected).sum(dim=1) / networks
        return local


def fit_factor(features: Tensor, ridge: float) -> Tensor:
    """L (channels, channels) of `InverseRigidity` for training features [n, channels]; s^2 is `ridge` times F^T F's mean eigenvalue."""
    f = features.double()
    gram = f.T @ f / len(f)
    channels = len(gram)
    regular = gram + ridge * gram.trace() / channels * torch.eye(channels, dtype=torch.float64)
    values, vectors = torch.linalg.eigh(regular)
    factor: Tensor = vectors / values.sqrt()
    return factor.float()
