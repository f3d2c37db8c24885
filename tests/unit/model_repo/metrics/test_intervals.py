"""Intervals and areas against what can be worked out otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_repo import metrics

SCORES = st.lists(st.integers(0, 5), min_size=1, max_size=20).map(np.array)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@settings(deadline=None)
@given(SCORES, SCORES)
def test_the_area_under_the_curve_is_the_auc(normal, strange):
    false_alarms, found = metrics.roc_curve(normal, strange)
    assert (false_alarms[0], found[0], false_alarms[-1], found[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(found, false_alarms) == pytest.approx(metrics.auc(normal, strange))


def test_the_bins_of_a_reliability_diagram_by_hand():
    p = np.array([[0.9, 0.1], [0.92, 0.08], [0.6, 0.4]])
    found = metrics.reliability(p, np.array([0, 1, 0]), 10)
    np.testing.assert_allclose(found.confidence, [0.6, 0.91])
    np.testing.assert_allclose(found.accuracy, [1, 0.5])
    np.testing.assert_allclose(found.share, [1 / 3, 2 / 3])
    assert metrics.expected_calibration_error(p, np.array([0, 1, 0]), 10) == pytest.approx(0.4 / 3 + 0.41 * 2 / 3)


def test_a_paired_difference_is_surer_than_two_figures():
    draws = np.random.default_rng(1)
    groups = np.repeat(np.arange(30), 10)
    hardness = np.repeat(draws.normal(size=30), 10)  # what both methods share
    one, other = hardness + 1 + draws.normal(0, 0.2, 300), hardness + draws.normal(0, 0.2, 300)
    apart = metrics.paired_difference(lambda i: one[i].mean(), lambda i: other[i].mean(), groups, rng=rng())
    alone = metrics.bootstrap(lambda i: one[i].mean(), groups, rng=rng())
    assert apart.value == pytest.approx(1, abs=0.05)
    assert 8 * (apart.high - apart.low) < alone.high - alone.low


def test_a_difference_of_a_method_from_itself_is_nothing():
    values = np.arange(20.0)
    found = metrics.paired_difference(lambda i: values[i].mean(), lambda i: values[i].mean(), np.arange(20) // 4, rng=rng())
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_groups_are_resampled_whole_however_they_lie():
    groups = np.array(["b", "a", "b", "c", "a"])
    from model_repo.metrics.intervals import members_of, resamples

    assert [held.tolist() for held in members_of(groups)] == [[0, 2], [1, 4], [3]]
    for (index,) in resamples([groups], rng(), 20):
        counts = np.bincount(index, minlength=5)
        assert counts[0] == counts[2]
        assert counts[1] == counts[4]


def test_the_table_of_areas_has_every_kind_but_the_normal_one():
    kinds = ["known"] * 40 + ["filament"] * 40 + ["unseen"] * 40
    groups = [f"{kind}{k // 4}" for k, kind in enumerate(kinds)]
    draws = np.random.default_rng(2)
    level = np.concatenate([np.zeros(40), np.full(40, 1.0), np.full(40, 9.0)]) + draws.normal(size=120)
    table = metrics.auc_table({"level": level, "luck": draws.normal(size=120)}, kinds, groups, normal="known", rng=rng())
    assert list(table) == ["filament", "unseen"]
    assert table["unseen"]["level"].low == table["unseen"]["level"].value == 1
    assert 0.6 < table["filament"]["level"].low < table["filament"]["level"].value < table["filament"]["level"].high < 0.95
    assert table["unseen"]["luck"].low < 0.5 < table["unseen"]["luck"].high


def test_a_table_that_would_mean_nothing_is_refused():
    with pytest.raises(ValueError, match="no frame is of kind 'known'"):
        metrics.auc_table({"a": np.zeros(2)}, ["x", "y"], ["1", "2"], normal="known", rng=rng())
    with pytest.raises(ValueError, match="a: a score is not a finite number"):
        metrics.auc_table({"a": np.array([0, np.inf])}, ["known", "y"], ["1", "2"], normal="known", rng=rng())


def test_the_area_under_the_risk_curve_by_hand():
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    assert metrics.area_under_risk_curve(p, np.array([0, 1, 0]), np.array([1, 2, 3])) == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)
