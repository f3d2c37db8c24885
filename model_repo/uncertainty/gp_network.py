"""A wide residual network whose output is a Gaussian process on its features, and the graph that serves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from edge_agent.core.errors import EdgeAgentError
from model_repo.uncertainty.inducing_gp import GaussianProcessHead
from model_repo.uncertainty.method import Served, in_batches
from model_repo.uncertainty.rigidity import InverseRigidity, fit_factor

if TYPE_CHECKING:
    from model_repo.uncertainty.closed_form_gp import ClosedFormClassifier
    from model_repo.uncertainty.method import Fitting
    from model_repo.zoo import WideResNet

RIDGE = 1e-3
STARTING_FIELDS = 1024
"""The random subset whose features the inducing points are placed among."""
SMALLEST_PROBABILITY = 1e-12


class GaussianProcessNetwork(nn.Module):
    """A trunk with a linear layer, beside a Gaussian process that takes the linear layer's place once it has been started.

    Args:
        trunk: gives features, and logits by its own linear layer.
        inducing: inducing points.
        seen: fields that training will see: the size of the data set in the evidence lower bound, since crops are drawn anew.
    """

    def __init__(self, trunk: WideResNet, inducing: int, seen: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = GaussianProcessHead(trunk.channels, trunk.lots, inducing=inducing)
        self.seen = seen

    @property
    def started(self) -> bool:
        """Whether the Gaussian process answers."""
        return bool(self.head.started.item())

    def start(self, fields: Tensor) -> None:
        """Place the inducing points among `fields`' features by fuzzy c-means; the process begins where the linear layer ended."""
        self.head.start(in_batches(self.trunk.eval().features, fields).clone(), np.random.default_rng(0))
        self.head.follow(lambda features: self.trunk.logits(features)[:, 0])

    def bound(self, features: Tensor, labels: Tensor) -> Tensor:
        """The negative evidence lower bound of a batch."""
        return self.head.loss(features, labels, self.seen)

    def probabilities(self, fields: Tensor) -> Tensor:
        """The answer [batch, lots] of whichever is in charge; a plug-in of the latent means for the process."""
        features = self.trunk.features(fields)
        if not self.started:
            return torch.softmax(self.trunk.logits(features)[:, 0].float(), dim=1)
        mean, _ = self.head.latent()(features.float())
        return torch.softmax(mean, dim=1)


class ServedGaussianProcess(Served):
    """A trunk and the closed form of its Gaussian process: T latent draws a field, and the latent functions' mean variance.

    Args:
        trunk: with plain weights.
        classifier: the process.
        rigidity: for the local map.
    """

    def __init__(self, trunk: WideResNet, classifier: ClosedFormClassifier, rigidity: InverseRigidity, members: int) -> None:
        super().__init__()
        self.network = trunk
        self.classifier = classifier
        self.rigidity = rigidity
        self.members = members

    def forward(self, fields: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map fields to probabilities [batch, samples, lots], predictive variances [batch, samples], local map [batch, h/4, w/4]."""
        places = self.network.places(fields)
        probabilities, variance = self.classifier.answer(places.mean(dim=(2, 3)))
        if self.temperature != 1.0:
            probabilities = torch.softmax(torch.log(probabilities.clamp_min(SMALLEST_PROBABILITY)) / self.temperature, dim=2)
        return probabilities, variance.unsqueeze(1).expand(-1, self.members), self.rigidity.local(places)


def serve_process(network: GaussianProcessNetwork, samples: int, fitting: Fitting) -> ServedGaussianProcess:
    """The served graph of a trained Gaussian-process network; raise EdgeAgentError for one whose process was never started."""
    if not network.started:
        raise EdgeAgentError("the Gaussian process", "was never started", "train the network to its last step before it is exported")
    trunk = network.trunk.fold_norms()
    features = in_batches(trunk.features, fitting.fields)
    classifier = network.head.closed_form(samples, fitting.seed)
    served = ServedGaussianProcess(trunk, classifier, InverseRigidity(fit_factor(features, RIDGE)[None]), samples)
    return served.eval()
