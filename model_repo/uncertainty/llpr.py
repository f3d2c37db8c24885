"""Last-layer prediction rigidity: what a trained network's last layer could as well have been (Bigi et al. 2024, arXiv:2403.02251).

Nothing is trained: the features of the training fields say how firmly each direction of the last layer is held, two numbers are
fitted on the calibration side, and T last layers drawn from that Gaussian are the members.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_repo.uncertainty.method import Fitting, Plain, Served, in_batches
from model_repo.uncertainty.rigidity import InverseRigidity, fit_factor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_repo.recipe import Recipe
    from model_repo.zoo import WideResNet

RIDGES = (1e-4, 1e-3, 1e-2, 1e-1)
SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class SampledLastLayers(Served):
    """One network, T last layers, and the inverse rigidity of every field.

    Args:
        network: trained, with folded normalisations.
        weights, biases: shape (members * lots, channels) and (members * lots,).
        rigidity: fitted on the training features.
    """

    def __init__(self, network: WideResNet, weights: Tensor, biases: Tensor, rigidity: InverseRigidity) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("weights", weights)
        self.register_buffer("biases", biases)
        self.weights: Tensor
        self.biases: Tensor
        self.rigidity = rigidity
        self.members = len(biases) // network.lots

    def forward(self, fields: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map fields to probabilities [batch, members, lots], inverse rigidities [batch, members], local map [batch, h/4, w/4]."""
        places = self.network.places(fields)
        features = places.mean(dim=(2, 3))
        logits = functional.linear(features, self.weights, self.biases).reshape(-1, self.members, self.network.lots)
        distances = self.rigidity(features.unsqueeze(1)).expand(-1, self.members)
        return torch.softmax(logits / self.temperature, dim=2), distances, self.rigidity.local(places)


class LastLayerRigidity(Plain):
    """On the first member's trained network, or any other network of the same architecture."""

    kind: ClassVar[str] = "llpr"
    distance_kind: ClassVar[Literal["mahalanobis", "rigidity", "variance"]] = "rigidity"

    def serve(self, networks: Sequence[nn.Module], recipe: Recipe, fitting: Fitting) -> Served:
        """Fit the ridge s^2 and the scale alpha by the NLL of the members' mean on the calibration side, then draw T last layers."""
        network = cast("WideResNet", networks[0]).fold_norms()
        training = in_batches(network.features, fitting.fields)
        held_out = in_batches(network.features, fitting.held_out_fields)
        weights, biases = network.head.weight.detach()[:, :, 0, 0], cast("Tensor", network.head.bias).detach()
        draws = torch.randn((recipe.method.samples, *weights.shape), generator=torch.Generator().manual_seed(fitting.seed))
        notes: dict[str, float] = {}
        best, nll = (weights.repeat(recipe.method.samples, 1), fit_factor(training, RIDGES[0])), float("inf")
        for ridge in RIDGES:
            factor = fit_factor(training, ridge)
            steps = draws @ (factor.T / len(training) ** 0.5)
            for scale in SCALES:
                sampled = (weights + scale * steps).reshape(-1, weights.shape[1])
                found = mean_nll(held_out, fitting.held_out_labels, sampled, biases, recipe.method.samples)
                if found < nll:
                    best, nll, notes = (sampled, factor), found, {"ridge": ridge, "scale": scale}
        served = SampledLastLayers(network, best[0], biases.repeat(recipe.method.samples), InverseRigidity(best[1][None])).eval()
        served.notes = notes
        return served


def mean_nll(features: Tensor, labels: Tensor, weights: Tensor, biases: Tensor, members: int) -> float:
    """NLL in nats of the mean over the members' softmax; weights (members * lots, channels), biases (lots,)."""
    logits = functional.linear(features, weights, biases.repeat(members)).reshape(len(features), members, len(biases))
    mean = torch.softmax(logits, dim=2).mean(dim=1)
    return float(functional.nll_loss(torch.log(mean.clamp_min(1e-12)), labels))
