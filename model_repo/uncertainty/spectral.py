"""Spectral normalisation: every convolution and linear layer of a network held to a largest singular value c.

Miyato et al. 2018 (arXiv:1802.05957) by torch's power iteration; as a bound, not a fixed value, as in Gouk et al. 2021
(arXiv:1804.04368) and Bi et al. 2021, section 2.3. A kernel counts as the matrix of its output channels against all the rest, which
is not the convolution's own norm, and batch normalisation is left free, so that c is a regularisation and no proven Lipschitz bound.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from edge_agent.core.errors import EdgeAgentError

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


class SpectralBound(nn.Module):
    """Scale a weight down to the largest singular value `bound` when it is above; leave it alone when it is not."""

    def __init__(self, normalised: nn.Module, bound: float) -> None:
        super().__init__()
        self.normalised = normalised
        self.bound = bound

    def forward(self, weight: Tensor) -> Tensor:
        """Map a weight to its bounded self, of the same shape."""
        unit: Tensor = self.normalised(weight)
        sigma = weight.detach().norm() / unit.detach().norm().clamp_min(1e-12)  # unit is weight / sigma
        return unit * sigma.clamp_max(self.bound) if sigma > self.bound else weight


def spectral_normalise(network: nn.Module, bound: float = 1.0, *, power_iterations: int = 1) -> list[str]:
    """Hold every convolution and linear layer of `network` to singular values up to `bound`; return the layers' names.

    Args:
        network: changed in place; layers that are already normalised are passed over.
        bound: c, at least 1.
        power_iterations: steps of the power iteration in each forward pass while training.

    Raises:
        EdgeAgentError: a bound below 1, or a network without such layers.
    """
    if bound < 1:
        raise EdgeAgentError("spectral normalisation", f"a bound of {bound:g} lets signals die out", "use c of 1 or more")
    names = []
    for name, layer in list(network.named_modules()):
        if isinstance(layer, LAYERS) and not parametrize.is_parametrized(layer, "weight"):
            spectral_norm(layer, n_power_iterations=power_iterations)
            chain = cast("nn.ModuleList", cast("nn.ModuleDict", layer.parametrizations)["weight"])
            chain[0] = SpectralBound(chain[0], bound)
            names.append(name)
    if not names:
        raise EdgeAgentError("spectral normalisation", "the network has no convolution or linear layer", "choose another network")
    return names


def bake(network: nn.Module) -> nn.Module:
    """Write the bounded weights back as plain parameters, so that the network exports like any other; changed in place.

    Copies of the network keep their bounds: copies share the class that torch makes of a parametrised layer, and torch takes the weight's
    property off that class, so each layer gets a class of its own first.
    """
    for layer in list(network.modules()):
        if isinstance(layer, LAYERS) and parametrize.is_parametrized(layer, "weight"):
            shared = type(layer)
            layer.__class__ = type(shared.__name__, shared.__bases__, dict(shared.__dict__))
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
    return network
