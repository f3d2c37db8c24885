"""A variational Gaussian process in the place of a trained network's output layer (UnlockNN 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, cast

import torch
from torch import Tensor, nn

from model_repo.method_kind import MethodKind
from model_repo.uncertainty.gp_network import STARTING_FIELDS, GaussianProcessNetwork, serve_process
from model_repo.uncertainty.inducing_gp import ADAM_BETAS
from model_repo.uncertainty.method import Fitting, Plain, Served
from model_repo.zoo import WideResNet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from model_repo.recipe import Recipe, Training

LEARNING_RATE = 1e-2


class VariationalHead(Plain):
    """On the first member's trained network, which is frozen; only the head is trained, for a few steps."""

    kind: ClassVar[str] = "vgp_head"
    distance_kind: ClassVar[Literal["mahalanobis", "rigidity", "variance"]] = "variance"
    checkpoint: ClassVar[str] = "vgp-head"
    trained_on: ClassVar[MethodKind | None] = MethodKind.SOFTMAX
    shaped_by: ClassVar[tuple[str, ...]] = ("inducing",)

    def network(self, recipe: Recipe, lots: int) -> nn.Module:
        """The recipe's network, to be filled from its checkpoint, and a head."""
        trunk = WideResNet(lots, recipe.network.depth, recipe.network.width)
        return GaussianProcessNetwork(trunk, recipe.method.inducing, self.training(recipe).steps * recipe.training.batch)

    def training(self, recipe: Recipe) -> Training:
        """Fewer steps at a higher rate: the features are there already."""
        return recipe.training.model_copy(update={"steps": recipe.method.steps, "learning_rate": LEARNING_RATE, "weight_decay": 0.0})

    def weights(self, network: nn.Module, learning_rate: float) -> list[dict[str, object]]:
        """The head alone."""
        return [{"params": list(cast("GaussianProcessNetwork", network).head.parameters()), "lr": learning_rate, "betas": ADAM_BETAS}]

    def prepare(self, network: nn.Module, draw: Callable[[int], tuple[Tensor, Tensor]], progress: float) -> None:  # noqa: ARG002 - the Protocol's
        """Start the head before the first step, and keep the trunk's normalisations as they are."""
        net = cast("GaussianProcessNetwork", network)
        if not net.started:
            net.start(draw(STARTING_FIELDS)[0])
        net.trunk.eval()

    def loss(self, network: nn.Module, fields: Tensor, labels: Tensor) -> Tensor:
        """The negative evidence lower bound on frozen features."""
        net = cast("GaussianProcessNetwork", network)
        with torch.no_grad():
            features = net.trunk.features(fields)
        return net.bound(features, labels)

    def probabilities(self, network: nn.Module, fields: Tensor) -> Tensor:
        """Of the head."""
        return cast("GaussianProcessNetwork", network).probabilities(fields)

    def serve(self, networks: Sequence[nn.Module], recipe: Recipe, fitting: Fitting) -> Served:
        """The closed form of the head on the trained network."""
        with torch.no_grad():
            return serve_process(cast("GaussianProcessNetwork", networks[0]), recipe.method.samples, fitting)
