"""A sparse variational Gaussian process in feature space, one latent function for each output, and the head that trains it.

Hensman et al. 2013 (arXiv:1309.6835) and 2015 (arXiv:1411.2005); as a network's output: Bi et al. 2021, UnlockNN 2022. By GPyTorch.
"""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from edge_agent.core.errors import EdgeAgentError
from model_repo.uncertainty.closed_form_gp import ClosedFormClassifier, ClosedFormGP, ClosedFormRegressor
from model_repo.uncertainty.fuzzy_c_means import inducing_start

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)  # linear_operator's own, at its import
    import gpytorch
    import linear_operator

NanError, NotPSDError = linear_operator.utils.errors.NanError, linear_operator.utils.errors.NotPSDError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

Kernel = Literal["matern32", "matern52", "rbf"]
Distribution = Literal["cholesky", "mean_field"]
Task = Literal["classification", "regression"]

SMOOTHNESS = {"matern32": 1.5, "matern52": 2.5}

SMALLEST_AMPLITUDE = 0.01
FIRST_NOISE = 0.05
SMALLEST_NOISE = 0.001
"""Both of a regression, as shares of the targets' variance."""
ADAM_BETAS = (0.9, 0.95)
"""For whoever trains a head: early gradients are so large that with the usual second moment of 0.999 the variances hardly move later."""
FOLLOWING_LENGTH = 2.0
"""In units of the features' spread: a trained layer is linear, so a long kernel follows it with few inducing points."""
FOLLOWING_DEVIATION = 0.3
"""Whitened: the inducing values are nearly known already."""


class InducingGP(gpytorch.models.ApproximateGP):  # type: ignore[misc]  # GPyTorch is untyped
    """`outputs` independent whitened sparse GPs that share the inducing points' places and have a scale and length each.

    Args:
        inducing: first places of the inducing points (m, d).
        outputs: number of latent functions.
        kernel: Matern of smoothness 3/2 or 5/2, or RBF.
        distribution: the variational covariance, full (cholesky) or diagonal (mean_field).
    """

    def __init__(self, inducing: Tensor, outputs: int, *, kernel: Kernel = "matern52", distribution: Distribution = "cholesky") -> None:
        batch = torch.Size([outputs])
        family = gpytorch.variational.CholeskyVariationalDistribution
        if distribution == "mean_field":
            family = gpytorch.variational.MeanFieldVariationalDistribution
        strategy = gpytorch.variational.VariationalStrategy(
            self, inducing, family(len(inducing), batch_shape=batch), learn_inducing_locations=True
        )
        super().__init__(gpytorch.variational.IndependentMultitaskVariationalStrategy(strategy, num_tasks=outputs))
        base = (
            gpytorch.kernels.RBFKernel(batch_shape=batch)
            if kernel == "rbf"
            else gpytorch.kernels.MaternKernel(nu=SMOOTHNESS[kernel], batch_shape=batch)
        )
        self.kernel = kernel
        self.outputs = outputs
        self.mean_module = gpytorch.means.ConstantMean(batch_shape=batch)
        self.covar_module = gpytorch.kernels.ScaleKernel(base, batch_shape=batch)

    def forward(self, x: Tensor) -> gpytorch.distributions.MultivariateNormal:
        """Give the prior of the latent functions at x (..., n, d)."""
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))

    @property
    def strategy(self) -> gpytorch.variational.VariationalStrategy:
        """The whitened strategy that holds the inducing points and the variational distribution."""
        return self.variational_strategy.base_variational_strategy


class LatentSoftmax(gpytorch.likelihoods.SoftmaxLikelihood):  # type: ignore[misc]  # GPyTorch is untyped
    """A softmax over the latent functions.

    GPyTorch's own takes a batch that happens to hold as many data as there are classes for its former, transposed layout.
    """

    def __init__(self, classes: int) -> None:
        super().__init__(num_classes=classes, mixing_weights=False)

    def forward(self, function_samples: Tensor, *_args: object, **_named: object) -> torch.distributions.Categorical:
        """Map latent values (..., batch, classes) to the labels' distribution."""
        return torch.distributions.Categorical(logits=function_samples)


class GaussianProcessHead(nn.Module):
    """A network's output as a Gaussian process on its features: a softmax over latent GPs, or a GP with Gaussian noise.

    Features are centred and divided by their total spread, as `start` saw them, so that distances are of order 1 whatever the network;
    one factor for all of them, because a trained network's features already have the scales that matter to its answer. All arithmetic
    is in single precision, also under autocast.

    Args:
        features: dimension of the features.
        classes: number of classes, or of targets in a regression.
        inducing: number of inducing points.
        kernel: see InducingGP.
        distribution: see InducingGP.
        task: what the latent functions stand for.
    """

    def __init__(
        self,
        features: int,
        classes: int,
        *,
        inducing: int = 100,
        kernel: Kernel = "matern52",
        distribution: Distribution = "cholesky",
        task: Task = "classification",
    ) -> None:
        super().__init__()
        if classes < 1 or inducing < 1 or (task == "classification" and classes < 2):
            reason = f"{classes} output(s) and {inducing} inducing point(s) make no {task}"
            raise EdgeAgentError("Gaussian process head", reason, "use at least one inducing point and two classes (one target)")
        self.task = task
        self.classes = classes
        self.gp = InducingGP(torch.randn(inducing, features), classes, kernel=kernel, distribution=distribution)
        self.likelihood = (
            LatentSoftmax(classes)
            if task == "classification"
            else gpytorch.likelihoods.MultitaskGaussianLikelihood(num_tasks=classes, rank=0, has_global_noise=False)
        )
        if task == "regression":
            self.likelihood.task_noises = torch.full((classes,), FIRST_NOISE)
        self.centre: Tensor
        self.scale: Tensor
        self.target_centre: Tensor
        self.target_scale: Tensor
        self.started: Tensor
        self.register_buffer("centre", torch.zeros(features))
        self.register_buffer("scale", torch.tensor(1.0))
        self.register_buffer("target_centre", torch.zeros(classes))
        self.register_buffer("target_scale", torch.ones(classes))
        self.register_buffer("started", torch.tensor(0))

    @torch.no_grad()
    def start(self, features: Tensor, rng: np.random.Generator, targets: Tensor | None = None) -> None:
        """Set scales and inducing points from training features (n, d); a regression also takes its targets (n, classes).

        Raises:
            EdgeAgentError: fewer features than inducing points, or features that are not finite.
        """
        features = features.detach().float()
        if not features.isfinite().all():
            raise EdgeAgentError("Gaussian process head", "the features are not finite", "look at the trained network: it has diverged")
        spread = features.var(dim=0, correction=0).sum().sqrt().clamp_min(torch.finfo(torch.float32).tiny)
        self.centre.copy_(features.mean(dim=0))
        self.scale.copy_(spread)
        if self.task == "regression":
            if targets is None:
                raise EdgeAgentError("Gaussian process head", "a regression was started without its targets", "pass the training targets")
            if not targets.isfinite().all():
                raise EdgeAgentError("Gaussian process head", "the targets are not finite", "look for gaps in the training data")
            columns = targets.detach().float().reshape(-1, self.classes)
            self.target_centre.copy_(columns.mean(dim=0))
            self.target_scale.copy_(columns.std(dim=0, correction=0).clamp_min(torch.finfo(torch.float32).tiny))
        places = inducing_start(self.normalised(features).cpu().numpy(), len(self.gp.strategy.inducing_points), rng)
        self.gp.strategy.inducing_points.copy_(torch.from_numpy(places))
        self.started.fill_(1)

    @torch.no_grad()
    def follow(self, answer: Callable[[Tensor], Tensor], noise: Tensor | None = None) -> None:
        """Start the latent means at what a trained output layer answers at the inducing points, with an amplitude to match.

        Args:
            answer: maps features (n, d) to logits, or to targets in their own unit (n, classes).
            noise: of a regression, the variance of what the layer leaves of the targets (classes,).
        """
        self._refuse_unstarted()
        values = answer(self.gp.strategy.inducing_points * self.scale + self.centre).float()
        if self.task == "regression":
            values = self._standard(values)
            if noise is not None:
                self.likelihood.task_noises = (noise / self.target_scale.square()).clamp_min(SMALLEST_NOISE)
        constants = values.mean(dim=0)
        self.gp.mean_module.constant.copy_(constants.reshape(self.gp.mean_module.constant.shape))
        self.gp.covar_module.outputscale = values.var(dim=0, correction=0).clamp_min(SMALLEST_AMPLITUDE)
        self.gp.covar_module.base_kernel.lengthscale = FOLLOWING_LENGTH
        factor = self._factor()
        whitened = torch.linalg.solve_triangular(factor, (values - constants).T[..., None].double(), upper=False)
        covariance = linear_operator.operators.DiagLinearOperator(torch.full_like(values.T, FOLLOWING_DEVIATION**2))
        first = gpytorch.distributions.MultivariateNormal(whitened[..., 0].float(), covariance)
        strategy = self.gp.strategy
        strategy._variational_distribution.initialize_variational_distribution(first)  # noqa: SLF001 - GPyTorch has no other door
        strategy.variational_params_initialized.fill_(1)
        self.gp.variational_strategy.variational_params_initialized.fill_(1)

    def normalised(self, features: Tensor) -> Tensor:
        """Centre and scale features (n, d) as `start` found them."""
        return (features.float() - self.centre) / self.scale

    def loss(self, features: Tensor, labels: Tensor, n_data: int) -> Tensor:
        """Give the negative evidence lower bound for each datum (Bi et al. 2021, eq. 2), differentiable in the features.

        Args:
            features: (batch, d).
            labels: (batch,) of class numbers, or (batch,) or (batch, classes) of targets in their own unit.
            n_data: size of the whole training set, the weight of the likelihood against the divergence.
        """
        self._refuse_unstarted()
        found = torch.tensor(torch.nan)
        with torch.autocast(features.device.type, enabled=False):
            bound = gpytorch.mlls.VariationalELBO(self.likelihood, self.gp, num_data=n_data)
            truth = labels if self.task == "classification" else self._standard(labels)
            x = self.normalised(features)
            if x.isfinite().all():
                with contextlib.suppress(NanError, NotPSDError):  # of parameters that an earlier step has spoilt
                    found = -bound(self.gp(x), truth)
        if not found.isfinite():
            reason = f"the loss became {found.item()}"
            raise EdgeAgentError("Gaussian process head", reason, "lower the learning rate, or look for data that are not finite")
        return found

    def distance(self, features: Tensor) -> Tensor:
        """Give the mean predictive variance of the latent functions (batch,): small near the training data, the prior's far from it."""
        with torch.autocast(features.device.type, enabled=False):
            return self.latent().distance(features.float())

    @torch.no_grad()
    def latent(self) -> ClosedFormGP:
        """Write the trained GP as plain matrix products: features (batch, d) to mean and variance (batch, classes)."""
        self._refuse_unstarted()
        base = self.gp.covar_module.base_kernel
        places = self.gp.strategy.inducing_points
        jitter = self.gp.strategy.jitter_val
        q = self.gp.strategy.variational_distribution
        return ClosedFormGP(
            centre=self.centre,
            scale=self.scale,
            places=places.detach(),
            kernel=self.gp.kernel,
            lengths=base.lengthscale.detach().reshape(-1),
            amplitudes=self.gp.covar_module.outputscale.detach(),
            constants=self.gp.mean_module.constant.detach().reshape(-1),
            factor=self._factor(),
            mean=q.mean.detach(),
            root=_root(q),
            jitter=jitter,
        )

    def closed_form(self, samples: int = 16, seed: int = 0) -> ClosedFormClassifier:
        """Write the classifier as a module without GPyTorch: features (batch, d) to probabilities (batch, samples, classes)."""
        if self.task != "classification":
            raise EdgeAgentError("Gaussian process head", "a regression has no class probabilities", "use closed_form_regressor()")
        return ClosedFormClassifier(self.latent(), samples, seed)

    def closed_form_regressor(self) -> ClosedFormRegressor:
        """Write the regression as a module without GPyTorch: features (batch, d) to mean and variance (batch, classes), noise included."""
        if self.task != "regression":
            raise EdgeAgentError("Gaussian process head", "a classification has no predictive variance", "use closed_form()")
        return ClosedFormRegressor(self.latent(), self.likelihood.task_noises.detach(), self.target_centre, self.target_scale)

    def _factor(self) -> Tensor:
        """Give the Cholesky factor (classes, m, m) of the inducing points' kernel matrix with GPyTorch's jitter, in double precision."""
        places = self.gp.strategy.inducing_points
        covariance = self.gp.covar_module(places).to_dense().double()
        jitter = self.gp.strategy.jitter_val * torch.eye(len(places), dtype=torch.float64, device=places.device)
        factor: Tensor = torch.linalg.cholesky(covariance + jitter)
        return factor

    def _standard(self, targets: Tensor) -> Tensor:
        return (targets.float().reshape(-1, self.classes) - self.target_centre) / self.target_scale

    def _refuse_unstarted(self) -> None:
        if not self.started.item():
            raise EdgeAgentError("Gaussian process head", "its inducing points were never placed", "call start() with training features")


def _root(q: gpytorch.distributions.MultivariateNormal) -> Tensor:
    """Give a square root (outputs, m, m) of the variational covariance."""
    root: Tensor = torch.linalg.cholesky(q.lazy_covariance_matrix.to_dense().detach().double())
    return root
