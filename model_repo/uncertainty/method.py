"""What every uncertainty method has in common: a network to train, and the served graph that is made of trained ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_repo.zoo import WideResNet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from model_repo.method_kind import MethodKind
    from model_repo.recipe import Recipe, Training


@dataclass(frozen=True, slots=True)
class Fitting:
    """What is fitted once the networks are trained.

    Attributes:
        fields, labels: training fields [n, 1, h, w] in [0, 1] and lots [n], without augmentation.
        held_out_fields, held_out_labels: the calibration side's.
        shrinkage: of the covariance within lots towards a multiple of the unit matrix.
        seed: of everything that is drawn.
    """

    fields: Tensor
    labels: Tensor
    held_out_fields: Tensor
    held_out_labels: Tensor
    shrinkage: float
    seed: int


class Served(nn.Module):
    """A graph that is served: fields [batch, 1, h, w] to probabilities [batch, members, lots], distances [batch, members], local map.

    The local map [batch, rows, columns] is the inverse local rigidity: how unlike the training set each place of a field is.

    Attributes:
        members: the size of the members' axis.
        temperature: what the logits are divided by (Guo et al. 2017, arXiv:1706.04599); fitted when the model is exported, if at all.
        notes: numbers that were fitted, for the manifest.
    """

    members: int
    temperature: float = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.notes: dict[str, float] = {}

    def forward(self, fields: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See the class."""
        raise NotImplementedError


class Method(Protocol):
    """One way to know what a network does not know.

    Attributes:
        kind: its name in recipes and manifests.
        distance_kind: what the served distances are.
        checkpoint: the first part of its checkpoints' names; methods with the same one share trained networks.
        trained_on: the method whose trained network its own is first filled from, if any.
        shaped_by: the recipe's method settings that its trained network depends on.
    """

    kind: ClassVar[str]
    distance_kind: ClassVar[Literal["mahalanobis", "rigidity", "variance"]]
    checkpoint: ClassVar[str]
    trained_on: ClassVar[MethodKind | None]
    shaped_by: ClassVar[tuple[str, ...]]

    def network(self, recipe: Recipe, lots: int) -> nn.Module:
        """A fresh network to train; its `forward` maps fields to what `loss` and `probabilities` take."""
        ...

    def training(self, recipe: Recipe) -> Training:
        """How the network is trained."""
        ...

    def weights(self, network: nn.Module, learning_rate: float) -> list[dict[str, object]]:
        """What the optimiser moves, in groups with their learning rates."""
        ...

    def prepare(self, network: nn.Module, draw: Callable[[int], tuple[Tensor, Tensor]], progress: float) -> None:
        """Called before every step; `draw` gives so many training fields and labels, `progress` runs from 0 to 1 over the training."""
        ...

    def loss(self, network: nn.Module, fields: Tensor, labels: Tensor) -> Tensor:
        """The batch's loss."""
        ...

    def probabilities(self, network: nn.Module, fields: Tensor) -> Tensor:
        """One trained network's own answer [batch, lots], with which training is watched."""
        ...

    def settled(self, network: nn.Module) -> bool:
        """Whether the network is by now of the kind that is served, so that its figures may decide which step is kept."""
        ...

    def serve(self, networks: Sequence[nn.Module], recipe: Recipe, fitting: Fitting) -> Served:
        """The served graph of trained networks, whose normalisations may be folded in place."""
        ...


class Plain:
    """The half that methods on an ordinarily trained network share."""

    checkpoint: ClassVar[str] = "member"
    trained_on: ClassVar[MethodKind | None] = None
    shaped_by: ClassVar[tuple[str, ...]] = ()
    distance_kind: ClassVar[Literal["mahalanobis", "rigidity", "variance"]] = "mahalanobis"

    def network(self, recipe: Recipe, lots: int) -> nn.Module:
        """The recipe's network."""
        return WideResNet(lots, recipe.network.depth, recipe.network.width)

    def training(self, recipe: Recipe) -> Training:
        """As the recipe says."""
        return recipe.training

    def weights(self, network: nn.Module, learning_rate: float) -> list[dict[str, object]]:
        """All of them alike."""
        return [{"params": list(network.parameters()), "lr": learning_rate}]

    def prepare(self, network: nn.Module, draw: Callable[[int], tuple[Tensor, Tensor]], progress: float) -> None:
        """Nothing."""

    def loss(self, network: nn.Module, fields: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy, in single precision whatever the network computed in."""
        return functional.cross_entropy(network(fields)[:, 0].float(), labels)

    def settled(self, network: nn.Module) -> bool:  # noqa: ARG002 - the Protocol's
        """From the first step."""
        return True

    def probabilities(self, network: nn.Module, fields: Tensor) -> Tensor:
        """Softmax of the logits."""
        return torch.softmax(network(fields)[:, 0].float(), dim=1)


def in_batches(function: Callable[[Tensor], Tensor], fields: Tensor, size: int = 64) -> Tensor:
    """Apply `function` to batches of fields without gradients; the answers joined."""
    with torch.inference_mode():
        return torch.cat([function(batch.to(memory_format=torch.channels_last)) for batch in torch.split(fields, size)])
