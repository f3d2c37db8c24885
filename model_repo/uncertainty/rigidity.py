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
        return inverse_rigidity(features.transpose(0, 1), self.factors).transpose(0, 1)

    def local(self, places: Tensor) -> Tensor:
        """Map features before pooling [batch, networks * channels, rows, columns] to a map [batch, rows, columns], mean over networks."""
        networks, channels, _ = self.factors.shape
        weights = self.factors.transpose(1, 2).reshape(networks * channels, channels, 1, 1)
        projected = functional.conv2d(places, weights, groups=networks)
        local: Tensor = (projected * projected).sum(dim=1) / networks
        return local


def inverse_rigidity(features: Tensor, factor: Tensor) -> Tensor:
    """f^T L L^T f (..., n) of features (..., n, channels) for L (..., channels, channels)."""
    projected = torch.matmul(features, factor)
    return (projected * projected).sum(dim=-1)


def gram_of(features: Tensor) -> Tensor:
    """F^T F / n (channels, channels) of training features [n, channels], in double precision."""
    f = features.double()
    return f.T @ f / len(f)


def inverse_root(gram: Tensor, ridge: float) -> Tensor:
    """L (channels, channels) with L L^T = (gram + s^2 I)^-1; s^2 is `ridge` times the mean eigenvalue of `gram`."""
    channels = len(gram)
    values, vectors = torch.linalg.eigh(gram + ridge * gram.trace() / channels * torch.eye(channels, dtype=gram.dtype))
    root: Tensor = vectors / values.sqrt()
    return root


def fit_factor(features: Tensor, ridge: float) -> Tensor:
    """L (channels, channels) of `InverseRigidity` for training features [n, channels]; s^2 is `ridge` times F^T F's mean eigenvalue."""
    return inverse_root(gram_of(features), ridge).float()
