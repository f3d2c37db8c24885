"""Last-layer prediction rigidity for a network that was trained elsewhere: any torch network and its output layer's name in.

Bigi, Chong, Ceriotti & Grasselli 2024, arXiv:2403.02251: nothing is trained, and no labels are needed for the rigidity itself.
"""

from __future__ import annotations

import copy

from torch import Tensor, nn

from edge_agent.core.errors import EdgeAgentError
from model_repo.uncertainty.rigidity import InverseRigidity, fit_factor
from model_repo.uncertainty.unlock import Trunk, features_of, refuse_layer


class RigidNetwork(nn.Module):
    """A trained network that also says how firmly its training set holds each answer; exports to ONNX.

    Args:
        trunk: the network up to its output layer.
        layer: the output layer.
        rigidity: of the trunk's features.
    """

    def __init__(self, trunk: Trunk, layer: nn.Module, rigidity: InverseRigidity) -> None:
        super().__init__()
        self.trunk = trunk
        self.layer = layer
        self.rigidity = rigidity

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Map inputs to the output layer's answer (batch, outputs) and the inverse rigidity (batch,), large where training says little."""
        features = self.trunk(inputs)
        answer = self.layer(features if isinstance(self.layer, nn.Linear) else features[:, :, None, None])
        return answer.flatten(1), self.rigidity(features.unsqueeze(1))[:, 0]


def rigid(network: nn.Module, layer_name: str, inputs: Tensor, *, ridge: float = 1e-3, batch: int = 256) -> RigidNetwork:
    """Give a trained network its last-layer rigidity; the network given is not changed.

    Args:
        network: any trained network with one input.
        layer_name: its output layer, as in `network.named_modules()`: linear, or a convolution after global pooling.
        inputs: training inputs (n, …), unlabelled.
        ridge: s^2 over the mean eigenvalue of F^T F / n.
        batch: inputs of one pass.

    Raises:
        EdgeAgentError: no such layer (the nearest names are given), a layer of another kind, or features that are not finite.
    """
    refuse_layer(network, layer_name)
    trunk = Trunk(copy.deepcopy(network).eval(), layer_name)
    features = features_of(trunk, inputs, batch)
    if not features.isfinite().all():
        raise EdgeAgentError(f"layer {layer_name}", "the features before it are not finite", "look at the trained network: it has diverged")
    return RigidNetwork(trunk, copy.deepcopy(network.get_submodule(layer_name)), InverseRigidity(fit_factor(features, ridge)[None])).eval()
