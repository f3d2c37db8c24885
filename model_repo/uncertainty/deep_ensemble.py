"""A deep ensemble: networks trained from different seeds, served as one graph (Lakshminarayanan et al. 2017, arXiv:1612.01474)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from model_repo.uncertainty.mahalanobis import Mahalanobis, fit_mahalanobis
from model_repo.uncertainty.method import Fitting, Plain, Served, in_batches
from model_repo.uncertainty.rigidity import InverseRigidity, fit_factor
from model_repo.zoo import WideResNet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_repo.recipe import Recipe

RIDGE = 1e-3
"""Of the local map: it is looked at, not compared with a threshold."""


class FusedEnsemble(Served):
    """The members' networks side by side in grouped convolutions, with every member's feature distance.

    Args:
        network: the members side by side, as `merge` makes it.
        distance: of each member's features.
        rigidity: for the local map.
    """

    def __init__(self, network: WideResNet, distance: Mahalanobis, rigidity: InverseRigidity) -> None:
        super().__init__()
        self.network = network
        self.distance = distance
        self.rigidity = rigidity
        self.members = network.groups

    def forward(self, fields: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map fields [batch, 1, h, w] to probabilities [batch, members, lots], distances [batch, members], local map [batch, h/4, w/4]."""
        places = self.network.places(fields)
        features = places.mean(dim=(2, 3))
        probabilities = torch.softmax(self.network.logits(features) / self.temperature, dim=2)
        by_member = features.reshape(-1, self.network.groups, self.network.channels)
        return probabilities, self.distance(by_member), self.rigidity.local(places)


class DeepEnsemble(Plain):
    """As many members as the recipe has seeds."""

    kind: ClassVar[str] = "deep_ensemble"

    def serve(self, networks: Sequence[nn.Module], recipe: Recipe, fitting: Fitting) -> Served:
        """The fused graph."""
        members = [cast("WideResNet", network).fold_norms() for network in networks]
        features = [in_batches(member.features, fitting.fields) for member in members]
        labels = fitting.labels.numpy()
        fits = [fit_mahalanobis(f.numpy().astype(np.float64), labels, members[0].lots, fitting.shrinkage) for f in features]
        distance = Mahalanobis(torch.stack([whitening for whitening, _ in fits]), torch.stack([centres for _, centres in fits]))
        rigidity = InverseRigidity(torch.stack([fit_factor(f, RIDGE) for f in features]))
        return FusedEnsemble(merge(members, recipe), distance, rigidity).eval()


def merge(members: Sequence[WideResNet], recipe: Recipe) -> WideResNet:
    """Put members with folded normalisations side by side in one grouped network."""
    network = recipe.network
    fused = WideResNet(members[0].lots, network.depth, network.width, len(members)).fold_norms()
    states = [member.state_dict() for member in members]
    fused.load_state_dict(
        {key: torch.cat([state[key] for state in states]) if states[0][key].ndim else states[0][key] for key in fused.state_dict()}
    )
    return fused.eval()
