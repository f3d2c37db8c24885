"""The scores against values by hand, for an honest forecaster and a boastful one, and the variance's rescaling."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from edge_agent.core.errors import EdgeAgentError
from model_repo.regression.methods import Gaussian, mixture, rescale
from model_repo.regression.scores import score


def forecast(n=20_000, boast=1.0, seed=0):
    rng = np.random.default_rng(seed)
    deviation = rng.uniform(0.1, 2, n)
    return deviation * rng.normal(size=n), np.zeros(n), (deviation / boast) ** 2, [str(k // 2) for k in range(n)]


def value(found, name):
    return found.figures[name].value


def test_error_likelihood_and_sharpness_by_direct_computation():
    truth, mean, variance, groups = forecast(300)
    found = score(truth, mean + 0.1, variance, groups, np.random.default_rng(0))
    error = truth - mean - 0.1
    assert value(found, "mae") == pytest.approx(np.abs(error).mean())
    assert value(found, "rmse") == pytest.approx(np.sqrt((error**2).mean()))
    assert value(found, "nll") == pytest.approx(-stats.norm.logpdf(truth, mean + 0.1, np.sqrt(variance)).mean())
    assert value(found, "sharpness") == pytest.approx(np.sqrt(variance.mean()))
    for figure in found.figures.values():
        assert figure.low <= figure.high


def test_an_honest_forecaster_is_calibrated_and_a_boastful_one_is_not():
    honest = score(*forecast(), np.random.default_rng(0))
    boastful = score(*forecast(boast=2), np.random.default_rng(0))
    assert value(honest, "calibration_error") < 0.01
    assert value(honest, "ence") < 0.05
    assert value(honest, "nll") < value(boastful, "nll")
    assert value(boastful, "ence") == pytest.approx(1, abs=0.1)
    # of a Gaussian whose deviation is stated at half: share inside the level-p interval is 2 Phi(q_p / 2) - 1
    p = np.linspace(0.0005, 0.9995, 1000)
    gap = p - (2 * stats.norm.cdf(stats.norm.ppf((1 + p) / 2) / 2) - 1)
    assert value(boastful, "miscalibration_area") == pytest.approx(gap.mean(), abs=0.01)
    assert value(boastful, "calibration_error") == pytest.approx(np.sqrt((gap**2).mean()), abs=0.01)


def test_the_bins_hold_predicted_and_found_error():
    bins = score(*forecast(boast=2), np.random.default_rng(0)).bins
    assert bins.shape == (10, 2)
    assert (np.diff(bins[:, 0]) > 0).all()
    assert bins[:, 1] / bins[:, 0] == pytest.approx(np.full(10, 2), rel=0.1)


def test_intervals_resample_groups():
    """A hundred copies of each of ten errors say no more than the ten."""
    few = np.random.default_rng(1).normal(size=10)
    many = np.repeat(few, 100)
    alone = score(few, np.zeros(10), np.ones(10), [str(k) for k in range(10)], np.random.default_rng(0)).figures["mae"]
    copied = score(many, np.zeros(1000), np.ones(1000), [str(k // 100) for k in range(1000)], np.random.default_rng(0)).figures["mae"]
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high), abs=1e-9)


def test_a_variance_of_nought_is_refused():
    with pytest.raises(EdgeAgentError, match="not finite and positive"):
        score(np.zeros(2), np.zeros(2), np.array([1.0, 0.0]), ["a", "b"], np.random.default_rng(0))


def test_rescaling_finds_a_planted_factor_and_floor():
    rng = np.random.default_rng(2)
    raw = rng.gamma(1, 1, 50_000)
    residuals = rng.normal(size=50_000) * np.sqrt(4 * raw + 0.5)
    factor, floor = rescale(raw, residuals)
    assert factor == pytest.approx(4, rel=0.05)
    assert floor == pytest.approx(0.5, rel=0.1)


def test_the_mixture_has_the_moments_of_its_parts():
    rng = np.random.default_rng(3)
    parts = [Gaussian(np.array([mean]), np.array([variance])) for mean, variance in ((0.0, 1.0), (2.0, 0.25), (5.0, 4.0))]
    draws = np.concatenate([rng.normal(part.mean[0], np.sqrt(part.variance[0]), 200_000) for part in parts])
    found = mixture(parts)
    assert found.mean[0] == pytest.approx(draws.mean(), rel=0.01)
    assert found.variance[0] == pytest.approx(draws.var(), rel=0.01)
