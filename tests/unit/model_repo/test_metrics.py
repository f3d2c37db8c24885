"""An evaluation's figures against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_repo import metrics

P = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.45, 0.55]])
Y = np.array([0, 1, 1, 0])


def test_accuracy_nll_and_risk_by_hand():
    assert metrics.accuracy(P, Y) == 0.5
    assert metrics.nll(P, Y) == pytest.approx(-sum(map(math.log, (0.9, 0.4, 0.8, 0.45))) / 4)
    uncertainty = np.array([0.1, 0.3, 0.2, 0.4])
    assert metrics.risk_at_coverage(P, Y, uncertainty, 0.5) == 0
    assert metrics.risk_at_coverage(P, Y, uncertainty, 0.75) == pytest.approx(1 / 3)
    assert metrics.risk_at_coverage(P, Y, np.zeros(4), 0.5) == 0.5  # ties cannot be ranked by luck


def test_the_calibration_error_is_nought_for_an_honest_answer_and_full_for_a_liar():
    certain = np.tile([1.0, 0.0], (10, 1))
    assert metrics.expected_calibration_error(certain, np.zeros(10, int)) == 0
    assert metrics.expected_calibration_error(certain, np.ones(10, int)) == 1
    doubting = np.tile([0.5, 0.5], (10, 1))
    assert metrics.expected_calibration_error(doubting, np.arange(10) % 2) == pytest.approx(0)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_the_auc_counts_pairs(normal, strange):
    pairs = [(s > n) + 0.5 * (s == n) for n in normal for s in strange]
    assert metrics.auc(np.array(normal), np.array(strange)) == pytest.approx(sum(pairs) / len(pairs))


def test_the_interval_resamples_groups_not_elements():
    values = np.array([0.0] * 50 + [1.0] * 50)
    groups = ["a"] * 50 + ["b"] * 50
    low, high = metrics.bootstrap_interval(lambda i: float(values[i].mean()), [groups], rng=np.random.default_rng(0), replicates=200)
    assert (low, high) == (0.0, 1.0)
