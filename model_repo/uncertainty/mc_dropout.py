"""Monte Carlo dropout: T passes with different units left out (Gal & Ghahramani 2016, arXiv:1506.02142)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from model_repo.uncertainty.mahalanobis import Mahalanobis, fit_mahalanobis
from model_repo.uncertainty.method import Fitting, Plain, Served, in_batches
from model_repo.uncertainty.rigidity import InverseRigidity, fit_factor
from model_repo.zoo import WideBlock, WideResNet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_repo.recipe import Recipe

RIDGE = 1e-3
FITTED_FIELDS = 512
"""Every field passes T times, so fewer are taken than for other methods."""


class FixedMasks(nn.Module):
    """Dropout whose masks are drawn once: pass t leaves out the same units for every field.

    Args:
        keep: shape (passes, channels, h, w), true where a unit stays.
        p: share left out, by which the others are scaled.
    """

    def __init__(self, keep: Tensor, p: float) -> None:
        super().__init__()
        self.register_buffer("keep", keep)
        self.keep: Tensor
        self.scale = 1 / (1 - p)

    def forward(self, x: Tensor) -> Tensor:
        """Map [batch * passes, channels, h, w] to the same with units left out."""
        passes, channels, height, width = self.keep.shape
        by_pass = x.reshape(-1, passes, channels, height, width)
        return (by_pass * (self.keep.to(x.dtype) * self.scale)).reshape(-1, channels, height, width)


class DropoutPasses(Served):
    """T passes of one network in one graph.

    Args:
        network: with `FixedMasks` in place of its dropout.
        passes: T.
        distance, rigidity: of the passes' features, the same for all.
    """

    def __init__(self, network: WideResNet, passes: int, distance: Mahalanobis, rigidity: InverseRigidity) -> None:
        super().__init__()
        self.network = network
        self.members = passes
        self.distance = distance
        self.rigidity = rigidity

    def forward(self, fields: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map fields to probabilities [batch, passes, lots], distances [batch, passes], local map [batch, h/4, w/4]."""
        places = repeated_places(self.network, fields, self.members)
        features = places.mean(dim=(2, 3))
        logits = self.network.logits(features).reshape(-1, self.members, self.network.lots)
        distances = self.distance(features.unsqueeze(1)).reshape(-1, self.members)
        local = self.rigidity.local(places)
        local = local.reshape(-1, self.members, *local.shape[1:]).mean(dim=1)
        return torch.softmax(logits / self.temperature, dim=2), distances, local


class MonteCarloDropout(Plain):
    """One network trained with dropout between the convolutions of every block."""

    kind: ClassVar[str] = "mc_dropout"
    checkpoint: ClassVar[str] = "mc-dropout"
    shaped_by: ClassVar[tuple[str, ...]] = ("dropout",)

    def network(self, recipe: Recipe, lots: int) -> nn.Module:
        """The recipe's network with dropout."""
        return WideResNet(lots, recipe.network.depth, recipe.network.width, dropout=recipe.method.dropout)

    def serve(self, networks: Sequence[nn.Module], recipe: Recipe, fitting: Fitting) -> Served:
        """T passes with masks drawn by the fitting's seed."""
        network, passes = cast("WideResNet", networks[0]).fold_norms(), recipe.method.samples
        fix_masks(network, passes, fitting.fields[:1], recipe.method.dropout, fitting.seed)
        chosen = fitting.fields[:FITTED_FIELDS]
        features = in_batches(lambda fields: repeated_places(network, fields, passes).mean(dim=(2, 3)), chosen, size=8)
        labels = np.repeat(fitting.labels[:FITTED_FIELDS].numpy(), passes)
        whitening, centres = fit_mahalanobis(features.numpy().astype(np.float64), labels, network.lots, fitting.shrinkage)
        return DropoutPasses(
            network,
            passes,
            Mahalanobis(whitening[None], centres[None]),
            InverseRigidity(fit_factor(features, RIDGE)[None]),
        ).eval()


def repeated_places(network: WideResNet, fields: Tensor, passes: int) -> Tensor:
    """Features before pooling, [batch * passes, channels, rows, columns]; what stands before the first mask is computed once."""
    stem = network.stem(fields)
    return network.after_stem(stem.repeat_interleave(passes, dim=0))


def fix_masks(network: WideResNet, passes: int, field: Tensor, p: float, seed: int) -> None:
    """Replace every block's dropout by masks of the shape its units have for `field` [1, 1, h, w], in place."""
    generator = torch.Generator().manual_seed(seed)
    shapes: list[torch.Size] = []
    blocks = [block for block in network.blocks if isinstance(block, WideBlock)]
    hooks = [block.dropout.register_forward_hook(lambda _m, _i, out: shapes.append(out.shape[1:])) for block in blocks]
    with torch.inference_mode():
        network.eval().features(field)
    for hook in hooks:
        hook.remove()
    for block, shape in zip(blocks, shapes, strict=True):
        block.dropout = FixedMasks(torch.rand((passes, *shape), generator=generator) >= p, p)
