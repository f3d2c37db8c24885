"""A trained sparse Gaussian process as plain matrix products, which ONNX can hold.

With L the Cholesky factor of the inducing points' kernel matrix and q(v) = N(m, S) in whitened coordinates, a = L^-1 k(Z, x) and
mean = c + m^T a, variance = k(x, x) - a^T a + a^T S a (Hensman et al. 2015, arXiv:1411.2005, eq. 9, after whitening).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class ClosedFormGP(nn.Module):
    """Features (batch, d) to the latent functions' mean and variance (batch, outputs).

    Args:
        centre: the features' centre (d,).
        scale: the features' scale, one number.
        places: inducing points (m, d) in normalised coordinates.
        kernel: matern32, matern52 or rbf.
        lengths: each output's length (outputs,).
        amplitudes: each output's prior variance (outputs,).
        constants: each output's prior mean (outputs,).
        factor: Cholesky factor L (outputs, m, m), double precision.
        mean: whitened variational mean (outputs, m).
        root: a square root of the whitened variational covariance (outputs, m, m).
        jitter: what GPyTorch adds to the predictive variance.
    """

    def __init__(
        self,
        *,
        centre: Tensor,
        scale: Tensor,
        places: Tensor,
        kernel: str,
        lengths: Tensor,
        amplitudes: Tensor,
        constants: Tensor,
        factor: Tensor,
        mean: Tensor,
        root: Tensor,
        jitter: float,
    ) -> None:
        super().__init__()
        self.kernel = kernel
        points = mean.shape[1]
        inverse = torch.linalg.solve_triangular(factor, torch.eye(points, dtype=torch.float64, device=factor.device), upper=False)
        origin = places.mean(dim=0)  # products of centred coordinates lose fewer digits in the distance below
        for name, value in (
            ("centre", centre + scale * origin),
            ("scale", scale),
            ("places", places - origin),
            ("squares", (places - origin).double().square().sum(dim=1)),
            ("per_length", 1 / lengths.double()),
            ("amplitudes", amplitudes[:, None]),
            ("constants", constants),
            ("mean_weights", torch.einsum("oi,oij->oj", mean.double(), inverse)),
            ("whitening", inverse.transpose(1, 2)),
            ("shrinkage", inverse.transpose(1, 2) @ root.double()),
            ("prior", amplitudes + jitter),
        ):
            self.register_buffer(name, value.detach().float().clone())

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Map features (batch, d) to mean and variance (batch, outputs)."""
        x = (features.float() - self.get_buffer("centre")) / self.get_buffer("scale")
        places = self.get_buffer("places")
        squared = x.square().sum(dim=1, keepdim=True) - 2 * x @ places.T + self.get_buffer("squares")
        k = self._kernel(squared.clamp_min(0.0))  # (outputs, batch, m)
        mean = (k * self.get_buffer("mean_weights")[:, None, :]).sum(dim=2).T + self.get_buffer("constants")
        explained = (k @ self.get_buffer("whitening")).square().sum(dim=2)
        left = (k @ self.get_buffer("shrinkage")).square().sum(dim=2)
        variance = self.get_buffer("prior")[:, None] - explained + left
        return mean, variance.clamp_min(0.0).T

    def distance(self, features: Tensor) -> Tensor:
        """Give the mean variance over the outputs (batch,)."""
        variance: Tensor = self(features)[1]
        return variance.mean(dim=1)

    def _kernel(self, squared: Tensor) -> Tensor:
        per_length = self.get_buffer("per_length")[:, None, None]
        amplitude = self.get_buffer("amplitudes")[:, :, None]
        if self.kernel == "rbf":
            return amplitude * torch.exp(-0.5 * squared * per_length.square())
        r = squared.clamp_min(1e-20).sqrt() * per_length
        if self.kernel == "matern32":
            return amplitude * (1 + math.sqrt(3) * r) * torch.exp(-math.sqrt(3) * r)
        return amplitude * (1 + math.sqrt(5) * r + 5 / 3 * r.square()) * torch.exp(-math.sqrt(5) * r)


class ClosedFormClassifier(nn.Module):
    """Features (batch, d) to class probabilities (batch, samples, classes): fixed draws of the latent Gaussians through a softmax.

    The draws are those of a scrambled Sobol sequence with their mirror images (and the mean itself when `samples` is odd), scaled to
    unit variance, so that a few of them already have the right mean and spread, and every call gives the same answer.

    Args:
        latent: the latent functions.
        samples: number of draws T; 1 is the plug-in answer of the latent means.
        seed: of the scrambling.
    """

    def __init__(self, latent: ClosedFormGP, samples: int = 16, seed: int = 0) -> None:
        super().__init__()
        self.latent = latent
        classes = latent.get_buffer("constants").shape[0]
        self.register_buffer("draws", normal_draws(samples, classes, seed).to(latent.get_buffer("constants").device))

    def forward(self, features: Tensor) -> Tensor:
        """Map features (batch, d) to probabilities (batch, samples, classes)."""
        return self.answer(features)[0]

    def answer(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Map features (batch, d) to probabilities (batch, samples, classes) and the mean latent variance (batch,)."""
        mean, variance = self.latent(features)
        values = mean[:, None, :] + variance.sqrt()[:, None, :] * self.get_buffer("draws")
        return torch.softmax(values, dim=2), variance.mean(dim=1)


class ClosedFormRegressor(nn.Module):
    """Features (batch, d) to the predictive mean and variance (batch, targets) in the targets' own unit, noise included."""

    def __init__(self, latent: ClosedFormGP, noise: Tensor, centre: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.latent = latent
        for name, value in (("noise", noise), ("target_centre", centre), ("target_scale", scale)):
            self.register_buffer(name, value.detach().float().clone())

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Map features (batch, d) to mean and variance (batch, targets)."""
        return self.answer(features)

    def answer(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Map features (batch, d) to mean and variance (batch, targets)."""
        mean, variance = self.latent(features)
        scale = self.get_buffer("target_scale")
        return mean * scale + self.get_buffer("target_centre"), (variance + self.get_buffer("noise")) * scale.square()


def normal_draws(samples: int, dimensions: int, seed: int) -> Tensor:
    """Give quasi-random standard-normal draws (samples, dimensions) of mean exactly 0 and, from two on, variance 1."""
    if samples < 2:
        return torch.zeros(samples, dimensions)
    engine = torch.quasirandom.SobolEngine(dimensions, scramble=True, seed=seed)  # type: ignore[no-untyped-call]  # torch's
    half = engine.draw(samples // 2).double()
    normal = torch.special.ndtri(half.clamp(1e-6, 1 - 1e-6))
    draws = torch.cat((normal, -normal, torch.zeros(samples % 2, dimensions, dtype=torch.float64)))
    spread = draws.square().mean(dim=0).sqrt()
    return torch.where(spread > 0, draws / spread.clamp_min(1e-12), draws).float()
