"""A fully connected network of ElemNet's kind, atomic fractions to formation enthalpy, sized for one CPU core; and its training.

Jha 2020, chapter 3: 17 layers of 1024 … 32 units. Here six layers of 512, 512, 256, 256, 128, 64 with layer normalisation instead of
dropout: 0.55 million parameters, two to three seconds an epoch of 41,000 compounds on a core.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from edge_agent.core.errors import EdgeAgentError

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTHS = (512, 512, 256, 256, 128, 64)
SPREAD_WIDTH = 32
GRADIENT_LIMIT = 5.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a member is trained: epochs, batch, peak learning rate of AdamW (warmed up, then falling along a cosine), weight decay."""

    epochs: int = 24
    batch: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.1


class ElemNet(nn.Module):
    """Atomic fractions (batch, elements) to the mean and the logarithm of the variance (batch,) of the standardised enthalpy.

    The variance has a head of its own on detached features, so that fitting it never disturbs the mean (Stirn et al. 2023,
    arXiv:2212.09184): one training serves the plain network, the last-layer methods and the ensemble of Gaussian heads.

    Args:
        elements: number of inputs.
        centre: mean of the training targets, eV/atom.
        scale: their standard deviation, eV/atom.
        widths: units of the hidden layers.
    """

    def __init__(self, elements: int, centre: float, scale: float, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for wide, narrow in zip((elements, *widths), widths, strict=False):
            layers += [nn.Linear(wide, narrow), nn.LayerNorm(narrow), nn.ReLU()]
        self.trunk = nn.Sequential(*layers)
        self.mean = nn.Linear(widths[-1], 1)
        self.spread = nn.Sequential(nn.Linear(widths[-1], SPREAD_WIDTH), nn.ReLU(), nn.Linear(SPREAD_WIDTH, 1))
        self.centre, self.scale = centre, scale

    def forward(self, fractions: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        features = self.trunk(fractions)
        return self.mean(features)[:, 0], self.spread(features.detach())[:, 0]

    @torch.no_grad()
    def answer(self, fractions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map fractions (n, elements) to mean (n,), variance (n,), eV/atom and its square, and last-layer features (n, d), in batches."""
        found = [(*self(part), self.trunk(part)) for part in torch.split(fractions, 1024)]
        mean, log_variance, features = (torch.cat(parts) for parts in zip(*found, strict=True))
        return mean * self.scale + self.centre, log_variance.exp() * self.scale**2, features


@dataclass(frozen=True, slots=True)
class Member:
    """A trained network, its seed, its validation MAE (eV/atom) and how long it took (s)."""

    network: ElemNet
    seed: int
    validation_mae: float
    seconds: float


def train_member(
    fractions: Tensor,
    targets: Tensor,
    held_out: tuple[Tensor, Tensor],
    seed: int,
    schedule: Schedule,
    tell: Callable[[str], None] = print,
) -> Member:
    """Train one network by squared error for the mean and Gaussian likelihood for the variance; keep the last step.

    Args:
        fractions: (n, elements).
        targets: (n,), eV/atom.
        held_out: fractions and targets that are watched only.
        seed: of weights and order.
        schedule: see Schedule.
        tell: is told the figures of every sixth epoch.

    Raises:
        EdgeAgentError: the loss is not finite.
    """
    began = time.monotonic()
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = ElemNet(fractions.shape[1], targets.mean().item(), targets.std().item())
    truth = (targets - network.centre) / network.scale
    optimiser = torch.optim.AdamW(network.parameters(), schedule.learning_rate, weight_decay=schedule.weight_decay)
    steps = schedule.epochs * math.ceil(len(targets) / schedule.batch)
    rising = max(1, steps // 20)
    falling = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda k: min((k + 1) / rising, 0.5 * (1 + math.cos(math.pi * min(1.0, k / steps))))
    )
    for epoch in range(schedule.epochs):
        for chosen in torch.split(torch.randperm(len(truth), generator=generator), schedule.batch):
            mean, log_variance = network(fractions[chosen])
            error = (mean - truth[chosen]).square()
            loss = error.mean() + 0.5 * (log_variance + error.detach() * torch.exp(-log_variance)).mean()
            if not math.isfinite(loss.item()):
                reason = f"the loss became {loss.item()} in epoch {epoch + 1}"
                raise EdgeAgentError(f"member {seed}", reason, "lower the learning rate, or look for targets that are not finite")
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_LIMIT)
            optimiser.step()
            falling.step()
        mae = (network.answer(held_out[0])[0] - held_out[1]).abs().mean().item()
        if (epoch + 1) % 6 == 0 or epoch + 1 == schedule.epochs:
            tell(f"member {seed} epoch {epoch + 1}/{schedule.epochs}: validation MAE {mae:.4f} eV/atom")
    return Member(network.eval(), seed, mae, time.monotonic() - began)
