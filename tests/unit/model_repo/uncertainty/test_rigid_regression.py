"""Last-layer rigidity against its formula, its parameters against brute force, its members against its variance."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.core.errors import EdgeAgentError
from model_repo.uncertainty.rigid_regression import fit_rigidity


def linear(n, rng, dimensions=5):
    features = rng.normal(size=(n, dimensions)) * np.array([3, 1, 1, 0.3, 0.01])
    return features, 0.2 * rng.normal(size=n)


def inverse_rigidity(features, inverse):
    f = np.column_stack((features, np.ones(len(features))))
    return np.einsum("ni,ij,nj->n", f, inverse, f)


def test_the_variance_is_the_papers_formula():
    rng = np.random.default_rng(0)
    train, _ = linear(200, rng)
    held_out, residuals = linear(100, rng)
    fitted = fit_rigidity(train, held_out, residuals)
    f = np.column_stack((train, np.ones(200)))
    for star in held_out[:10]:
        x = np.append(star, 1)
        direct = fitted.alpha**2 * x @ np.linalg.solve(f.T @ f + fitted.ridge * np.eye(6), x)
        assert fitted.variance(star[None])[0] == pytest.approx(direct, rel=1e-9)


def test_alpha_and_ridge_have_the_best_likelihood_of_the_residuals():
    rng = np.random.default_rng(1)
    train, _ = linear(300, rng)
    held_out, _ = linear(400, rng)
    f = np.column_stack((train, np.ones(300)))
    planted = 2.5**2 * inverse_rigidity(held_out, np.linalg.inv(f.T @ f + 10 * np.eye(6)))
    residuals = rng.normal(size=400) * np.sqrt(planted)
    fitted = fit_rigidity(train, held_out, residuals)

    def nll(alpha, ridge):
        variance = alpha**2 * inverse_rigidity(held_out, np.linalg.inv(f.T @ f + ridge * np.eye(6)))
        return (np.log(variance) + residuals**2 / variance).mean() / 2

    best = min(nll(alpha, ridge) for alpha in np.logspace(-1, 2, 60) for ridge in np.logspace(-4, 4, 33))
    assert nll(fitted.alpha, fitted.ridge) < best + 1e-3
    assert fitted.variance(held_out).mean() == pytest.approx(planted.mean(), rel=0.2)


def test_variance_grows_where_the_features_are_unlike_training():
    rng = np.random.default_rng(2)
    train, _ = linear(300, rng)
    fitted = fit_rigidity(train, *linear(200, rng))
    usual, _ = linear(50, rng)
    strange = usual + np.array([0, 0, 0, 0, 1.0])  # a hundred deviations in the direction that training hardly moved in
    assert fitted.variance(strange).min() > fitted.variance(usual).max()


def test_sampled_members_have_the_same_mean_and_variance():
    rng = np.random.default_rng(3)
    train, _ = linear(300, rng)
    fitted = fit_rigidity(train, *linear(200, rng))
    usual, _ = linear(20, rng)
    changes = np.column_stack((usual, np.ones(20))) @ fitted.sample(20_000, rng).T
    assert changes.mean(axis=1) == pytest.approx(np.zeros(20), abs=1e-12)
    assert changes.var(axis=1) == pytest.approx(fitted.variance(usual), rel=0.06)


def test_a_diverged_network_is_refused():
    with pytest.raises(EdgeAgentError, match="not finite"):
        fit_rigidity(np.full((5, 2), np.nan), np.zeros((5, 2)), np.zeros(5))
