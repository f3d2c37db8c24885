"""A p-value of a new sample's frame is small no oftener than it says, however many frames the samples have."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from edge_agent.core.calibration_scores import CalibrationScores
from edge_agent.uncertainty import conformal_p_value, uniform_of

VALUES = npst.arrays(np.float64, st.integers(1, 30), elements=st.integers(-20, 20).map(float))


def by_sample(*samples: list[float]) -> CalibrationScores:
    pairs = sorted((value, 1 / len(sample) / len(samples)) for sample in samples for value in sample)
    values, weights = np.array(pairs).T
    return CalibrationScores(values, weights, len(samples))


@given(VALUES, st.integers(-21, 21).map(float))
def test_frames_that_are_samples_give_the_textbooks_p_value(values, value):
    calibration = by_sample(*([one] for one in values))
    assert conformal_p_value(value, calibration) == pytest.approx((np.sum(values >= value) + 1) / (len(values) + 1))
    smoothed = (np.sum(values > value) + 0.25 * (np.sum(values == value) + 1)) / (len(values) + 1)
    assert conformal_p_value(value, calibration, 0.25) == pytest.approx(smoothed)


def test_a_sample_weighs_one_however_many_frames_it_has():
    assert conformal_p_value(5.0, by_sample([9.0] * 50, [1.0])) == pytest.approx((1 + 1) / 3)
    assert conformal_p_value(5.0, by_sample([9.0], [1.0] * 50)) == pytest.approx((1 + 1) / 3)
    assert conformal_p_value(99.0, by_sample([9.0] * 50, [1.0] * 50)) == pytest.approx(1 / 3)  # two samples prove no more than this


@given(VALUES, st.floats(-30, 30), st.floats(-30, 30), st.floats(0.001, 1))
def test_a_stranger_score_has_no_larger_p_value(values, one, other, smoothing):
    calibration = by_sample(*([value, value + 1] for value in values))
    low, high = sorted((one, other))
    assert 0 < conformal_p_value(high, calibration, smoothing) <= conformal_p_value(low, calibration, smoothing) <= 1


def shares_below(level: float, samples: int, frames: int, shared: float) -> tuple[float, float]:
    """How often a new sample's p-value is at most `level`: each sample weighing one, and each frame weighing one."""
    rng = np.random.default_rng(17)
    found = []
    for _ in range(2500):
        places = rng.normal(0, np.sqrt(shared), (samples + 1, 1)) + rng.normal(0, np.sqrt(1 - shared), (samples + 1, frames))
        held, value, smoothing = places[:-1], float(places[-1, 0]), float(rng.random())
        right = by_sample(*held.tolist())
        naive = CalibrationScores(right.values, right.weights, held.size)
        found.append([conformal_p_value(value, one, smoothing) <= level for one in (right, naive)])
    return tuple(np.mean(found, axis=0))


@pytest.mark.parametrize(("samples", "frames", "shared"), [(2, 24, 0.7), (6, 24, 0.7), (6, 24, 0.0), (12, 1, 0.5)])
def test_a_small_p_value_is_as_rare_as_it_says(samples, frames, shared):
    right, naive = shares_below(0.05, samples, frames, shared)
    assert right <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2500)
    if (frames, shared) == (24, 0.7):
        assert naive > 0.065  # why frames must not be counted as samples


def test_a_p_value_without_calibration_is_refused():
    with pytest.raises(ValueError, match="no calibration"):
        conformal_p_value(1.0, CalibrationScores(np.array([]), np.array([]), 0))


def test_the_smoothing_is_fixed_by_the_content_and_uniform_over_contents():
    drawn = np.sort([uniform_of(hashlib.sha256(f"frame {k}".encode()).hexdigest()) for k in range(4000)])
    assert np.abs(drawn - np.arange(4000) / 4000).max() < 1.63 / np.sqrt(4000)  # Kolmogorov's 1 %
    assert 0 < uniform_of("0" * 64) < uniform_of("f" * 64) < 1
