"""A learning curve is continued as far as its points allow, and says when it never gets there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_repo import metrics

SIZES = np.array([30, 75, 150, 300])


@settings(deadline=None)
@given(st.floats(0.5, 1.0), st.floats(0.05, 0.3), st.floats(0.1, 1.5))
def test_a_curve_that_is_a_power_law_is_found_again(asymptote, drop, exponent):
    law = metrics.PowerLaw(asymptote, drop * 30**exponent, exponent)
    found = metrics.fit_power_law(SIZES, law.at(SIZES))
    np.testing.assert_allclose(found.at(SIZES), law.at(SIZES), atol=2e-3)
    assert found.at(600) == pytest.approx(law.at(600), abs=0.01)


def test_the_number_of_samples_is_where_the_law_meets_the_wanted_accuracy():
    law = metrics.PowerLaw(0.98, 1.2, 0.6)
    assert law.at(law.samples_for(0.95)) == pytest.approx(0.95)
    assert law.samples_for(0.98) == law.samples_for(0.99) == float("inf")
    assert metrics.PowerLaw(0.9, 0.0, 1.0).samples_for(0.8) == 1


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_whatever_is_measured_the_law_stays_a_rising_accuracy(values):
    law = metrics.fit_power_law(SIZES, np.array(values))
    path = law.at(np.geomspace(30, 1e6, 50))
    assert (np.diff(path) >= -1e-12).all()
    assert 0 <= law.asymptote <= 1
    flat = ((np.array(values) - np.mean(values)) ** 2).sum()
    assert ((law.at(SIZES) - values) ** 2).sum() <= flat + 1e-9


def outcomes(rng, law):
    """0 or 1 for 40 test samples of 20 frames, a hard frame staying hard at every size."""
    luck = (rng.random((1, 800)) + 0.05 * rng.normal(size=(1, 40)).repeat(20, axis=1)) % 1
    return (luck < law.at(SIZES)[:, None]).astype(float), np.repeat(np.arange(40), 20)


def test_the_interval_holds_the_truth_and_widens_ahead():
    law = metrics.PowerLaw(0.97, 1.5, 0.6)
    held, groups = outcomes(np.random.default_rng(4), law)
    curve = metrics.learning_curve(SIZES, held, groups, 0.95, rng=np.random.default_rng(0), replicates=200)
    assert [interval.value for interval in curve.observed] == pytest.approx(held.mean(axis=1))
    assert all(interval.low < interval.value < interval.high for interval in curve.observed)
    assert curve.needed.low < law.samples_for(0.95) < curve.needed.high
    assert curve.low[-1] < law.at(3000) < curve.high[-1]
    assert curve.grid[0] == 30
    assert curve.grid[-1] == pytest.approx(3000)


def test_an_accuracy_out_of_reach_takes_infinitely_many():
    held, groups = outcomes(np.random.default_rng(5), metrics.PowerLaw(0.8, 3.0, 1.0))
    curve = metrics.learning_curve(SIZES, held, groups, 0.99, rng=np.random.default_rng(0), replicates=50)
    assert (curve.needed.value, curve.needed.high) == (float("inf"), float("inf"))


@pytest.mark.parametrize(
    ("sizes", "values", "said"),
    [
        ([10, 20], [0.5, 0.6], "needs 3"),
        ([10, 10, 20], [0.5, 0.5, 0.6], "needs 3"),
        ([0, 1, 2], [0.1] * 3, "below 1"),
        ([1, 2, 3], [0.1, 0.2, 1.2], "outside"),
    ],
)
def test_points_that_make_no_curve_are_refused(sizes, values, said):
    with pytest.raises(ValueError, match=said):
        metrics.fit_power_law(np.array(sizes), np.array(values))
