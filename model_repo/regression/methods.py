"""What each method answers for compounds: mean and variance, eV/atom, all from the same trained members."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.optimize import minimize

from edge_agent.core.errors import EdgeAgentError
from model_repo.uncertainty.rigid_regression import fit_rigidity, with_bias
from model_repo.uncertainty.unlock import probabilistic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from model_repo.regression.elemnet import Member
    from model_repo.uncertainty.unlock import ProbabilisticNetwork

SAMPLED_MEMBERS = 32
INDUCING = 100
HEAD_EPOCHS = 6
HELD_OUT_EPOCHS = 24
HEAD_BATCH = 512


@dataclass(frozen=True, slots=True)
class Gaussian:
    """Predictions: mean (n,) in eV/atom and variance (n,) in its square."""

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answered:
    """One method's answer for the test side.

    Attributes:
        name: as in the table.
        test: its predictions.
        fitted: the parameters fitted on validation residuals, as a reader would want them.
        fitting_s: what it took after the members were trained.
    """

    name: str
    test: Gaussian
    fitted: dict[str, float]
    fitting_s: float


def answer_all(
    members: Sequence[Member],
    train: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    test: Tensor,
    *,
    seed: int,
    tell: Callable[[str], None] = print,
) -> list[Answered]:
    """Answer the test inputs (n, elements) by every method; what is fitted is fitted on the validation side."""
    truth = validation[1].double().numpy()
    held_out, found = _each(members, validation[0]), _each(members, test)
    ensemble = f"ensemble of {len(members)}"
    rows = [
        _timed("single network, constant variance", lambda: _constant(held_out[0], truth, found[0])),
        _timed("single network, variance head", lambda: (found[0], {})),
        _timed("single network, variance head, rescaled", lambda: _rescaled(held_out[0], truth, found[0])),
        _timed(f"{ensemble}, variance heads", lambda: (mixture(found), {})),
        _timed(f"{ensemble}, variance heads, rescaled", lambda: _rescaled(mixture(held_out), truth, mixture(found))),
        _timed(f"{ensemble}, spread rescaled", lambda: _rescaled(_spread(held_out), truth, _spread(found))),
    ]
    features = [_features(members[0], inputs) for inputs in (train[0], validation[0], test)]
    rows.append(_timed("LLPR", lambda: _rigid(features, truth - held_out[0].mean, found[0])))
    rows.append(
        _timed(f"LLPR, {SAMPLED_MEMBERS} sampled last-layer members", lambda: _sampled(features, truth - held_out[0].mean, found[0], seed))
    )
    began = time.monotonic()
    unlocked = _unlocked(members[0], train, HEAD_EPOCHS, seed, tell)
    head = [_gaussian(unlocked, inputs) for inputs in (validation[0], test)]
    rows.append(Answered("GP head", head[1], {}, time.monotonic() - began))
    noise = float((unlocked.answer.get_buffer("noise") * unlocked.answer.get_buffer("target_scale").square()).item())
    latent = [Gaussian(found.mean, found.variance - noise) for found in head]
    for name, (raw_held_out, raw_test) in (("GP head, rescaled", head), ("GP head, latent variance rescaled", latent)):
        rescaled, fitted = _rescaled(raw_held_out, truth, raw_test)
        rows.append(Answered(name, rescaled, fitted, time.monotonic() - began))
    began = time.monotonic()
    unlocked = _unlocked(members[0], validation, HELD_OUT_EPOCHS, seed, tell)
    rows.append(Answered("GP head, trained on validation", _gaussian(unlocked, test), {}, time.monotonic() - began))
    return rows


def mixture(answers: Sequence[Gaussian]) -> Gaussian:
    """Give the moments of an equal mixture of Gaussians (Lakshminarayanan et al. 2017, arXiv:1612.01474, section 2.4)."""
    means = np.stack([answer.mean for answer in answers])
    variances = np.stack([answer.variance for answer in answers])
    return Gaussian(means.mean(axis=0), variances.mean(axis=0) + means.var(axis=0))


def rescale(variance: NDArray[np.float64], residuals: NDArray[np.float64]) -> tuple[float, float]:
    """Choose a factor and a floor (both squares) so that factor * variance + floor has the best Gaussian likelihood of the residuals.

    Args:
        variance: raw variances of held-out data (n,).
        residuals: their truth less prediction (n,).

    Raises:
        EdgeAgentError: the search finds nothing finite.
    """
    level = float((residuals**2).mean())
    unit = variance / variance.mean()

    def loss(logarithms: NDArray[np.float64]) -> float:
        total = np.exp(logarithms[0]) * unit + np.exp(logarithms[1])
        return float((np.log(total) + residuals**2 / total).mean() / 2)

    starts = [np.log(level * np.array(shares)) for shares in ((0.9, 0.1), (0.1, 0.9))]
    results = [minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-8}) for start in starts]
    best = min(results, key=lambda result: result.fun)
    if not np.isfinite(best.fun):
        raise EdgeAgentError("rescaling of variances", "no finite likelihood was found", "look at the validation residuals")
    factor, floor = np.exp(best.x)
    return float(factor / variance.mean()), float(floor)


def _unlocked(member: Member, data: tuple[Tensor, Tensor], epochs: int, seed: int, tell: Callable[[str], None]) -> ProbabilisticNetwork:
    inducing = min(INDUCING, len(data[0]) // 2)
    return probabilistic(
        member.network, "mean", *data, task="regression", inducing=inducing, epochs=epochs, batch=HEAD_BATCH, seed=seed, tell=tell
    )


def _timed(name: str, make: Callable[[], tuple[Gaussian, dict[str, float]]]) -> Answered:
    began = time.monotonic()
    answer, fitted = make()
    return Answered(name, answer, fitted, time.monotonic() - began)


def _each(members: Sequence[Member], inputs: Tensor) -> list[Gaussian]:
    found = []
    for member in members:
        mean, variance, _ = member.network.answer(inputs)
        found.append(Gaussian(mean.double().numpy(), variance.double().numpy()))
    return found


def _features(member: Member, inputs: Tensor) -> NDArray[np.float64]:
    return np.asarray(member.network.answer(inputs)[2].double().numpy())


def _constant(held_out: Gaussian, truth: NDArray[np.float64], test: Gaussian) -> tuple[Gaussian, dict[str, float]]:
    variance = float(((truth - held_out.mean) ** 2).mean())
    return Gaussian(test.mean, np.full(len(test.mean), variance)), {"sigma, eV/atom": variance**0.5}


def _spread(answers: Sequence[Gaussian]) -> Gaussian:
    means = np.stack([answer.mean for answer in answers])
    return Gaussian(means.mean(axis=0), means.var(axis=0, ddof=1))


def _rescaled(held_out: Gaussian, truth: NDArray[np.float64], test: Gaussian) -> tuple[Gaussian, dict[str, float]]:
    factor, floor = rescale(held_out.variance, truth - held_out.mean)
    return Gaussian(test.mean, factor * test.variance + floor), {"factor": factor**0.5, "floor, eV/atom": floor**0.5}


def _rigid(features: list[NDArray[np.float64]], residuals: NDArray[np.float64], test: Gaussian) -> tuple[Gaussian, dict[str, float]]:
    rigidity = fit_rigidity(features[0], features[1], residuals)
    return Gaussian(test.mean, rigidity.variance(features[2])), {"alpha, eV/atom": rigidity.alpha, "ridge": rigidity.ridge}


def _sampled(
    features: list[NDArray[np.float64]], residuals: NDArray[np.float64], test: Gaussian, seed: int
) -> tuple[Gaussian, dict[str, float]]:
    rigidity = fit_rigidity(features[0], features[1], residuals)
    changes = with_bias(features[2]) @ rigidity.sample(SAMPLED_MEMBERS, np.random.default_rng(seed)).T
    fitted = {"alpha, eV/atom": rigidity.alpha, "ridge": rigidity.ridge}
    return Gaussian(test.mean + changes.mean(axis=1), changes.var(axis=1)), fitted


def _gaussian(network: torch.nn.Module, inputs: Tensor) -> Gaussian:
    with torch.no_grad():
        parts = [network(part) for part in torch.split(inputs, 1024)]
    mean, variance = (torch.cat(part)[:, 0].double().numpy() for part in zip(*parts, strict=True))
    return Gaussian(mean, variance)
