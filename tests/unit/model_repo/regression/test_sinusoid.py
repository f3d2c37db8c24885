"""The sinusoid of Bi et al.: more inducing points, less error; away from the data, a wider band."""

from __future__ import annotations

import numpy as np
import pytest

from model_repo.regression.sinusoid import draw, fit, sinusoid


@pytest.fixture(scope="module")
def fits():
    return {count: fit(count, 0, with_network=False, steps=200) for count in (5, 15, 40)}


def test_error_falls_with_the_number_of_inducing_points(fits):
    rmse = [found.rmse for found in fits.values()]
    assert rmse[0] > 1.5 * rmse[1] > 1.5 * rmse[2]
    spread = sinusoid(np.linspace(3, 7, 100)).std()
    assert rmse[2] < 0.1 * spread


def test_the_band_opens_in_the_gap_and_outside(fits):
    for found in fits.values():
        assert min(found.deviation["gap"], found.deviation["outside"]) > 1.2 * found.deviation["data"]
    assert fits[40].deviation["gap"] > 2 * fits[40].deviation["data"]


def test_a_network_trains_jointly_with_its_process():
    found = fit(15, 0, steps=150)
    assert found.rmse < 0.5 * sinusoid(np.linspace(3, 7, 100)).std()
    assert found.deviation["outside"] > 1.4 * found.deviation["data"]


def test_the_data_are_two_clouds_of_the_same_function_whatever_the_seed():
    x, y = draw(500, np.random.default_rng(4))
    assert (np.abs(np.abs(x) - 5) <= 2).all()
    assert 150 < (x > 0).sum() < 350
    assert np.abs(y - sinusoid(x)).max() < 0.3
