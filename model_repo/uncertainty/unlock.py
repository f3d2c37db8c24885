"""A Gaussian process in place of a trained network's output layer: any torch network and a layer's name in, a probabilistic one out.

UnlockNN (Moriarty et al. 2022, doi:10.21105/joss.03700): a variational GP on the features that entered the output layer.
"""

from __future__ import annotations

import copy
import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from edge_agent.core.errors import EdgeAgentError
from model_repo.uncertainty.inducing_gp import ADAM_BETAS, GaussianProcessHead, Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_repo.uncertainty.closed_form_gp import ClosedFormClassifier, ClosedFormRegressor
    from model_repo.uncertainty.inducing_gp import Distribution, Kernel

OUTPUT_LAYERS = (nn.Linear, nn.Conv2d)


@dataclass(slots=True)
class Tapped:
    """What entered the tapped layer in the latest forward pass."""

    features: list[Tensor] = field(default_factory=list)


class Tap(nn.Module):
    """The output layer, which also keeps what enters it: whatever the network does after that layer stays possible."""

    def __init__(self, layer: nn.Module, tapped: Tapped) -> None:
        super().__init__()
        self.layer = layer
        self.tapped = tapped

    def forward(self, x: Tensor) -> Tensor:
        """Map as the layer does."""
        self.tapped.features.append(x)
        out: Tensor = self.layer(x)
        return out


class Trunk(nn.Module):
    """A network up to its output layer: inputs to features (batch, d)."""

    def __init__(self, network: nn.Module, layer_name: str) -> None:
        super().__init__()
        self.tapped = Tapped()
        self.network = network
        self.layer_name = layer_name
        parent, _, leaf = layer_name.rpartition(".")
        setattr(network.get_submodule(parent), leaf, Tap(network.get_submodule(layer_name), self.tapped))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs to features (batch, d); raise EdgeAgentError when the layer sees more than one place or is not reached once."""
        self.tapped.features.clear()
        self.network(inputs)
        seen, self.tapped.features[:] = list(self.tapped.features), []
        if len(seen) != 1:
            raise EdgeAgentError(f"layer {self.layer_name}", f"is used {len(seen)} times in one pass", "name the output layer")
        features = seen[0].flatten(1)
        if features.shape[1] != _width(self.network.get_submodule(self.layer_name)):
            reason = f"answers at many places at once (its input has shape {tuple(seen[0].shape)})"
            raise EdgeAgentError(f"layer {self.layer_name}", reason, "name a layer after the pooling")
        return features


class ProbabilisticNetwork(nn.Module):
    """A trained network whose answer comes from a Gaussian process on its last features.

    `forward` gives (probabilities (batch, samples, classes), mean latent variance (batch,)) for a classification and
    (mean, variance) (batch, targets) for a regression, and exports to ONNX.
    """

    def __init__(self, trunk: Trunk, head: GaussianProcessHead, samples: int, seed: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.answer: ClosedFormClassifier | ClosedFormRegressor = (
            head.closed_form(samples, seed) if head.task == "classification" else head.closed_form_regressor()
        )

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        features = self.trunk(inputs)
        found: tuple[Tensor, Tensor] = self.answer.answer(features)
        return found


def probabilistic(
    network: nn.Module,
    layer_name: str,
    inputs: Tensor,
    targets: Tensor,
    *,
    task: Task = "classification",
    inducing: int = 100,
    kernel: Kernel = "matern52",
    distribution: Distribution = "cholesky",
    epochs: int = 10,
    batch: int = 128,
    learning_rate: float = 0.02,
    trunk_learning_rate: float = 0.0,
    samples: int = 16,
    seed: int = 0,
    tell: Callable[[str], None] | None = None,
) -> ProbabilisticNetwork:
    """Replace the output layer of a trained network by a variational Gaussian process and train that; the network given is not changed.

    On the very data the network was trained on, a regression's noise is learnt from residuals that are too small (see
    model_repo/reports/composition.md): give data that the network has not fitted where there are enough.

    Args:
        network: any trained network with one input.
        layer_name: its output layer, as in `network.named_modules()`: linear, or a convolution after global pooling.
        inputs: training inputs (n, …).
        targets: class numbers (n,) or regression targets (n,) or (n, targets).
        task: what the targets are.
        inducing: number of inducing points.
        kernel: see InducingGP.
        distribution: see InducingGP.
        epochs: passes over the training set.
        batch: data of one step.
        learning_rate: of the head, with Adam, falling to nought along a cosine.
        trunk_learning_rate: of the network below; 0 leaves it as it is. Batch normalisation keeps its statistics in any case.
        samples: draws of the latent functions in a classifier's answer.
        seed: of everything that is drawn.
        tell: is told the loss after every epoch.

    Raises:
        EdgeAgentError: no such layer (the nearest names are given), a layer of another kind, a diverging loss.
    """
    generator = np.random.default_rng(seed)
    refuse_layer(network, layer_name)
    layer = network.get_submodule(layer_name)
    trunk = Trunk(copy.deepcopy(network).eval(), layer_name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        features = features_of(trunk, inputs, batch)
        head = GaussianProcessHead(
            features.shape[1], _outputs(layer, targets, task), inducing=inducing, kernel=kernel, distribution=distribution, task=task
        )
        head.start(features, generator, targets if task == "regression" else None)
        answer = _answers(layer, features, targets, task)
        head.follow(answer, _left(answer, features, targets) if task == "regression" else None)
        training = _Training(head, trunk, (learning_rate, trunk_learning_rate), epochs * -(-len(inputs) // batch))
        for epoch in range(epochs):
            order = torch.split(torch.from_numpy(generator.permutation(len(inputs))), batch)
            total = sum(training.step(inputs, features, targets, chosen) * len(chosen) for chosen in order)
            if tell:
                tell(f"epoch {epoch + 1}/{epochs}: negative evidence lower bound {total / len(inputs):.4f}")
    return ProbabilisticNetwork(trunk, head.eval(), samples, seed).eval()


class _Training:
    """The head, and the trunk where it has a learning rate of its own, on the way to the largest evidence lower bound."""

    def __init__(self, head: GaussianProcessHead, trunk: Trunk, learning_rates: tuple[float, float], steps: int) -> None:
        self._head = head
        self._trunk = trunk
        self._moves_trunk = learning_rates[1] > 0
        parameters = [{"params": list(head.parameters()), "lr": learning_rates[0]}]
        if self._moves_trunk:
            parameters.append({"params": list(trunk.parameters()), "lr": learning_rates[1]})
        self._optimiser = torch.optim.Adam(parameters, betas=ADAM_BETAS)
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self._optimiser, steps)

    def step(self, inputs: Tensor, features: Tensor, targets: Tensor, chosen: Tensor) -> float:
        """One step on the data at the places `chosen`; return their loss. `features` are what the trunk made of the inputs at first."""
        seen = self._trunk(inputs[chosen]) if self._moves_trunk else features[chosen]
        loss = self._head.loss(seen, targets[chosen], len(inputs))
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves Tensor.backward untyped
        self._optimiser.step()
        self._schedule.step()
        return loss.item()


def features_of(trunk: nn.Module, inputs: Tensor, batch: int = 256) -> Tensor:
    """Apply the trunk in batches without gradients: features (n, d)."""
    with torch.no_grad():
        return torch.cat([trunk(part) for part in torch.split(inputs, batch)])


def refuse_layer(network: nn.Module, name: str) -> None:
    """Raise EdgeAgentError unless `name` is a linear layer or convolution of the network; the nearest names are given."""
    named = dict(network.named_modules())
    possible = [key for key, layer in named.items() if key and isinstance(layer, OUTPUT_LAYERS)]
    if not possible:
        reason = "the network has no linear layer or convolution that could be its output"
        raise EdgeAgentError(f"layer {name}", reason, "give a network that ends in one")
    if name not in named or not name:
        near = difflib.get_close_matches(name, possible, n=3, cutoff=0.3) or possible[-3:]
        raise EdgeAgentError(f"layer {name!r}", "is not in the network", f"nearest: {', '.join(near)}")
    if not isinstance(named[name], OUTPUT_LAYERS):
        reason = f"is a {type(named[name]).__name__}, which has no features that a Gaussian process could take"
        raise EdgeAgentError(f"layer {name}", reason, f"name a linear layer or convolution: {', '.join(possible[-3:])}")


def _answers(layer: nn.Module, features: Tensor, targets: Tensor, task: Task) -> Callable[[Tensor], Tensor]:
    """What the replaced layer says of features; for a regression as the targets' least-squares fit, whatever its output's unit was."""

    def outputs(x: Tensor) -> Tensor:
        answered: Tensor = layer(x if isinstance(layer, nn.Linear) else x[:, :, None, None])
        return answered.flatten(1)

    if task == "classification":
        return outputs

    def with_one(x: Tensor) -> Tensor:
        return torch.cat((outputs(x), x.new_ones(len(x), 1)), dim=1)

    with torch.no_grad():
        fit = torch.linalg.lstsq(with_one(features), targets.float().reshape(len(targets), -1)).solution
    return lambda x: with_one(x) @ fit


def _left(answer: Callable[[Tensor], Tensor], features: Tensor, targets: Tensor) -> Tensor:
    """Variance (targets,) of what the replaced layer leaves of the targets."""
    with torch.no_grad():
        return (targets.float().reshape(len(targets), -1) - answer(features)).square().mean(dim=0)


def _outputs(layer: nn.Module, targets: Tensor, task: Task) -> int:
    """How many functions the head learns: one a class, or one a target."""
    if task == "regression":
        return targets.reshape(len(targets), -1).shape[1]
    return layer.out_features if isinstance(layer, nn.Linear) else int(layer.out_channels)  # type: ignore[arg-type]  # a convolution: refuse_layer has looked


def _width(tap: nn.Module) -> int:
    layer = tap.get_submodule("layer")
    return layer.in_features if isinstance(layer, nn.Linear) else int(layer.in_channels)  # type: ignore[arg-type]  # as above
