"""The 500-point sinusoid of Bi et al. 2021, section 3.1: how many inducing points are enough, and where the band opens.

The paper prints a figure and no formula. Taken here: the sum of 30 random cosines of van Amersfoort et al. 2021 (arXiv:2102.11409), on
whose method Bi et al. build: frequencies from N(0, 1), phases uniform, noise 0.05, and inputs in two clouds at -5 and +5 of
standard deviation 1, cut off at 2, so that there is a gap between them and empty space outside.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from model_repo.regression.scores import score
from model_repo.uncertainty.inducing_gp import ADAM_BETAS, GaussianProcessHead
from model_repo.uncertainty.spectral import bake, spectral_normalise

if TYPE_CHECKING:
    from numpy.typing import NDArray

POINTS = 500
COSINES = 30
NOISE = 0.05
CENTRE, CUT = 5.0, 2.0
FUNCTION_SEED = 2
WIDTH, BLOCKS = 64, 3
BATCH = 100
REGIONS = {"data": (3.0, 7.0), "gap": (0.0, 2.0), "outside": (9.0, 12.0)}
"""Where |x| lies: where the data are, between the clouds, and beyond them."""


@dataclass(frozen=True, slots=True)
class Fit:
    """One trained model and what it reached.

    Attributes:
        model: "network + GP" or "GP alone".
        inducing, seed: as given.
        rmse: against the noise-free function where the data are.
        nll: of 500 fresh noisy points from the same clouds, nats.
        calibration_error: of the same points, root-mean-square over the levels 1 % … 99 %.
        deviation: root-mean predictive variance by region.
        seconds: training time.
        grid, mean, band: the picture's x (n,), predictive mean (n,) and standard deviation (n,).
    """

    model: str
    inducing: int
    seed: int
    rmse: float
    nll: float
    calibration_error: float
    deviation: dict[str, float]
    seconds: float
    grid: NDArray[np.float64]
    mean: NDArray[np.float64]
    band: NDArray[np.float64]


class ResidualNetwork(nn.Module):
    """x (batch, 1) to features (batch, width): a linear layer and residual blocks, spectrally normalised to 1."""

    def __init__(self, width: int = WIDTH, blocks: int = BLOCKS) -> None:
        super().__init__()
        self.first = nn.Linear(1, width)
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        spectral_normalise(self.blocks, 1.0)  # the first layer only embeds x and may stretch it

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        h: Tensor = self.first(x)
        for block in self.blocks:
            h = h + torch.relu(block(h))
        return h


def sinusoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the noise-free function at x (n,)."""
    rng = np.random.default_rng(FUNCTION_SEED)
    frequency, phase = rng.normal(size=COSINES), rng.uniform(0, 2 * np.pi, COSINES)
    return np.asarray(np.cos(np.multiply.outer(x, frequency) + phase).sum(axis=1))


def draw(n: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw n noisy points x, y (n,)."""
    x = CENTRE * rng.choice([-1, 1], n) + rng.normal(size=n).clip(-CUT, CUT)
    return x, sinusoid(x) + NOISE * rng.normal(size=n)


def fit(inducing: int, seed: int, *, with_network: bool = True, steps: int = 1000, points: int = POINTS) -> Fit:
    """Train one model by the negative evidence lower bound, network and GP jointly (Bi et al. 2021, algorithm 1), and measure it."""
    began = time.monotonic()
    rng = np.random.default_rng(seed)
    x, y = (torch.from_numpy(value).float() for value in draw(points, rng))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        trunk: nn.Module = ResidualNetwork() if with_network else nn.Identity()
        head = GaussianProcessHead(WIDTH if with_network else 1, 1, inducing=inducing, task="regression")
        with torch.no_grad():
            head.start(trunk(x[:, None]), rng, y)
        groups = [{"params": list(head.parameters()), "lr": 0.05}, {"params": list(trunk.parameters()), "lr": 0.005}]
        optimiser = torch.optim.Adam(groups, betas=ADAM_BETAS)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for _ in range(steps):
            chosen = torch.from_numpy(rng.choice(points, BATCH, replace=False))
            loss = head.loss(trunk(x[chosen][:, None]), y[chosen], points)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves Tensor.backward untyped
            optimiser.step()
            schedule.step()
    seconds = time.monotonic() - began
    return _measured(bake(trunk.eval()), head.eval(), inducing, seed, seconds, with_network=with_network)


def _measured(trunk: nn.Module, head: GaussianProcessHead, inducing: int, seed: int, seconds: float, *, with_network: bool) -> Fit:
    answer = head.closed_form_regressor()

    def predict(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        with torch.no_grad():
            mean, variance = answer(trunk(torch.from_numpy(x).float()[:, None]))
        return mean[:, 0].double().numpy(), variance[:, 0].double().numpy()

    fresh, truth = draw(POINTS, np.random.default_rng((seed, 1)))
    mean, variance = predict(fresh)
    scores = score(truth, mean, variance, [str(k) for k in range(len(truth))], np.random.default_rng(seed))
    grid = np.linspace(-12, 12, 481)
    shown, band = predict(grid)
    inside = (np.abs(grid) >= REGIONS["data"][0]) & (np.abs(grid) <= REGIONS["data"][1])
    return Fit(
        model="network + GP" if with_network else "GP alone",
        inducing=inducing,
        seed=seed,
        rmse=float(np.sqrt(((shown - sinusoid(grid))[inside] ** 2).mean())),
        nll=scores.figures["nll"].value,
        calibration_error=scores.figures["calibration_error"].value,
        deviation={
            name: float(np.sqrt(band[(np.abs(grid) >= low) & (np.abs(grid) <= high)].mean())) for name, (low, high) in REGIONS.items()
        },
        seconds=seconds,
        grid=grid,
        mean=shown,
        band=np.sqrt(band),
    )
