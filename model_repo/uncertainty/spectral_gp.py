"""A spectral-normalised residual network with an inducing-point Gaussian process, trained together (Bi et al. 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_repo.uncertainty.gp_network import STARTING_FIELDS, GaussianProcessNetwork, serve_process
from model_repo.uncertainty.inducing_gp import ADAM_BETAS
from model_repo.uncertainty.method import Fitting, Plain, Served
from model_repo.uncertainty.spectral import bake, spectral_normalise
from model_repo.zoo import WideResNet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from model_repo.recipe import Recipe

WARM_UP = 0.5
"""Share of the training in which a linear layer shapes the features; Bi et al. begin with the process at once, over far more steps."""
PROCESS_RATE = 10.0
"""The process's learning rate over the network's: its whitened means have far to go."""


class SpectralGaussianProcess(Plain):
    """One pass in place of an ensemble's T: the latent functions' draws are the members."""

    kind: ClassVar[str] = "spectral_gp"
    distance_kind: ClassVar[Literal["mahalanobis", "rigidity", "variance"]] = "variance"
    checkpoint: ClassVar[str] = "spectral-gp"
    shaped_by: ClassVar[tuple[str, ...]] = ("lipschitz", "inducing")

    def network(self, recipe: Recipe, lots: int) -> nn.Module:
        """The recipe's network with bounded layers, and the process on its features."""
        trunk = WideResNet(lots, recipe.network.depth, recipe.network.width)
        spectral_normalise(trunk, recipe.method.lipschitz)
        return GaussianProcessNetwork(trunk, recipe.method.inducing, recipe.training.steps * recipe.training.batch)

    def weights(self, network: nn.Module, learning_rate: float) -> list[dict[str, object]]:
        """The process moves faster than the network, and does not decay."""
        net = cast("GaussianProcessNetwork", network)
        return [
            {"params": list(net.trunk.parameters()), "lr": learning_rate},
            {"params": list(net.head.parameters()), "lr": PROCESS_RATE * learning_rate, "weight_decay": 0.0, "betas": ADAM_BETAS},
        ]

    def prepare(self, network: nn.Module, draw: Callable[[int], tuple[Tensor, Tensor]], progress: float) -> None:
        """Start the process when the warm-up is over."""
        net = cast("GaussianProcessNetwork", network)
        if progress >= WARM_UP and not net.started:
            net.start(draw(STARTING_FIELDS)[0])
            net.train()

    def loss(self, network: nn.Module, fields: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of the linear layer, then the negative evidence lower bound of the process."""
        net = cast("GaussianProcessNetwork", network)
        features = net.trunk.features(fields)
        if net.started:
            return net.bound(features, labels)
        return functional.cross_entropy(net.trunk.logits(features)[:, 0].float(), labels)

    def settled(self, network: nn.Module) -> bool:
        """Once the process answers."""
        return cast("GaussianProcessNetwork", network).started

    def probabilities(self, network: nn.Module, fields: Tensor) -> Tensor:
        """Of the linear layer or the process."""
        return cast("GaussianProcessNetwork", network).probabilities(fields)

    def serve(self, networks: Sequence[nn.Module], recipe: Recipe, fitting: Fitting) -> Served:
        """The closed form of the process on the network with its bounded weights written out."""
        network = cast("GaussianProcessNetwork", bake(networks[0]))
        with torch.no_grad():
            return serve_process(network, recipe.method.samples, fitting)
