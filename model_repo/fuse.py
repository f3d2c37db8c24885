"""The whole ensemble as one network: grouped convolutions side by side, with every member's feature distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from model_repo import checkpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from model_repo.recipe import Network
    from model_repo.zoo import WideResNet


class FusedEnsemble(nn.Module):
    """Fields in; every member's probabilities and squared Mahalanobis distance to the nearest lot's mean out.

    Args:
        network: the members side by side, as `merge` makes it.
        whitening: shape (members, channels, channels); features times it have the unit matrix as covariance within lots.
        centres: shape (members, lots, channels), the lots' means after whitening.
    """

    def __init__(self, network: WideResNet, whitening: Tensor, centres: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("whitening", whitening)
        self.register_buffer("centres", centres.unsqueeze(1))
        self.whitening: Tensor
        self.centres: Tensor

    def forward(self, fields: Tensor) -> tuple[Tensor, Tensor]:
        """Map fields [batch, 1, h, w] to probabilities [batch, members, lots] and distances [batch, members]."""
        features = self.network.features(fields)
        probabilities = torch.softmax(self.network.logits(features), dim=2)
        by_member = features.reshape(-1, self.network.groups, self.network.channels).transpose(0, 1)
        apart = torch.matmul(by_member, self.whitening).unsqueeze(2) - self.centres
        return probabilities, (apart * apart).sum(dim=3).amin(dim=2).transpose(0, 1)


def merge(network: Network, lots: tuple[str, ...], members: Sequence[WideResNet]) -> WideResNet:
    """Put members that `fold_and_halve` prepared side by side in one grouped network."""
    fused = checkpoint.build(network, lots, len(members)).fold_norms()
    states = [member.state_dict() for member in members]
    fused.load_state_dict(
        {key: torch.cat([state[key] for state in states]) if states[0][key].ndim else states[0][key] for key in fused.state_dict()}
    )
    return fused.eval()


def fold_and_halve(member: WideResNet) -> WideResNet:
    """Fold normalisations, then round the convolutions' weights to what a half-precision file can hold, in place."""
    member.fold_norms()
    with torch.no_grad():
        for module in member.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.copy_(module.weight.half().float())
    return member


def fit_distance(features: NDArray[np.float64], labels: NDArray[np.int64], lots: int, shrinkage: float) -> tuple[Tensor, Tensor]:
    """One member's whitening (channels, channels) and whitened lot means (lots, channels).

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
