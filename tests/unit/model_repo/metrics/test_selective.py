"""A referral threshold keeps what it promises about samples it has not seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy.stats import binom

from model_repo import metrics

CANDIDATES = np.linspace(0, 1, 41)


def one_frame_a_sample(count: int) -> np.ndarray:
    return np.arange(count)


@settings(deadline=None)
@given(st.integers(0, 30), st.integers(1, 30), st.floats(0.5, 0.99))
def test_the_binomial_bound_is_where_so_few_mistakes_become_unlikely(wrong, more, confidence):
    count = wrong + more
    bound = metrics.binomial_bound(wrong, count, confidence)
    assert binom.cdf(wrong, count, bound) == pytest.approx(1 - confidence, abs=1e-9)


def test_the_bound_without_a_mistake_is_the_one_worked_out_by_hand():
    nothing = np.zeros(200, bool)
    bound = metrics.risk_bound(~nothing, nothing, one_frame_a_sample(200), 0.9)
    made = sum(part * (1 + stake * bound) ** 200 for stake, part in ((1, 0.5), (0.5, 0.25), (0.25, 0.125), (0.125, 0.125)))
    assert made == pytest.approx(10)
    assert 0.014 < bound < 0.016


def test_samples_that_refer_everything_are_no_evidence():
    accepted = np.repeat([True, False], 100)
    nothing = np.zeros(200, bool)
    alone = metrics.risk_bound(accepted[:100], nothing[:100], one_frame_a_sample(100))
    assert metrics.risk_bound(accepted, nothing, one_frame_a_sample(200)) == pytest.approx(alone)
    assert metrics.risk_bound(~accepted[:100], nothing[:100], one_frame_a_sample(100)) == 1


@settings(deadline=None)
@given(npst.arrays(bool, (40, 3)), npst.arrays(bool, (40, 3)), st.integers(0, 2**32 - 1))
def test_more_frames_of_the_same_samples_and_another_order_change_no_bound(accepted, wrong, seed):
    groups = np.repeat(np.arange(40), 3)
    bound = metrics.risk_bound(accepted.ravel(), wrong.ravel(), groups)
    order = np.random.default_rng(seed).permutation(120)
    assert metrics.risk_bound(accepted.ravel()[order], wrong.ravel()[order], groups[order]) == pytest.approx(bound)
    again = [np.tile(one.ravel(), 7) for one in (accepted, wrong)]
    assert metrics.risk_bound(*again, np.tile(groups, 7)) == pytest.approx(bound)
    if accepted.any():
        measured = (accepted & wrong).mean() / accepted.mean()
        assert measured <= bound <= metrics.risk_bound(accepted.ravel(), wrong.ravel(), groups, 0.99)


def draw(rng: np.random.Generator, samples: int, frames: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples of which 8 in 100 are wrong on every frame, whose uncertainty grows with the sample's hardness but not with its mistakes."""
    hard = rng.random(samples)
    wrong = rng.random(samples) < 0.08
    uncertainty = np.clip(hard[:, None] + rng.normal(0, 0.05, (samples, frames)), 0, 1)
    return uncertainty.ravel(), np.repeat(wrong, frames), np.repeat(np.arange(samples), frames)


def broken_promises(chosen, risk: float) -> float:
    """How often a threshold was promised although the risk, 0.08 at every threshold, is above `risk`."""
    broken = 0
    for seed in range(300):
        try:
            chosen(*draw(np.random.default_rng(seed), 60), risk)
        except ValueError:
            continue
        broken += 1
    return broken / 300


def test_a_promised_risk_is_broken_no_oftener_than_said_though_frames_share_their_sample():
    def by_sample(uncertainty, wrong, groups, risk):
        return metrics.referral_for_risk(uncertainty, wrong, groups, risk, candidates=CANDIDATES, confidence=0.8)

    def by_frame(uncertainty, wrong, _, risk):
        return metrics.referral_for_risk_of_independent_frames(uncertainty, wrong, risk, confidence=0.8)

    assert broken_promises(by_sample, 0.07) <= 0.2
    assert broken_promises(by_frame, 0.07) > 0.3  # why the frames of a sample must not be counted one by one


def test_a_threshold_that_serves_is_found():
    rng = np.random.default_rng(5)
    uncertainty = rng.random((400, 10))
    wrong = (rng.random((400, 10)) < 0.5) & (uncertainty > 0.8)
    arrays = uncertainty.ravel(), wrong.ravel(), np.repeat(np.arange(400), 10)
    found = metrics.referral_for_risk(*arrays, 0.03, candidates=CANDIDATES)
    assert 0.78 < found.threshold < 0.9
    assert found.coverage == pytest.approx((uncertainty <= found.threshold).mean())
    assert found.risk <= found.risk_bound == 0.03
    assert (found.confidence, found.samples) == (0.9, 400)
    stricter = metrics.referral_for_risk(*arrays, 0.02, candidates=CANDIDATES)
    assert stricter.threshold <= found.threshold


def test_selection_by_independent_frames_finds_the_border_between_right_and_wrong():
    uncertainty = np.arange(1000) / 1000
    found = metrics.referral_for_risk_of_independent_frames(uncertainty, uncertainty >= 0.9, 0.02)
    assert found.threshold == pytest.approx(0.9, abs=0.02)
    assert found.coverage == pytest.approx(0.9, abs=0.02)


def test_what_cannot_be_promised_is_refused_with_what_it_would_take():
    nothing = np.zeros(20, bool)
    with pytest.raises(ValueError, match=r"no threshold keeps the risk at 0\.02 .* on 20 samples .*would take 203\)"):
        metrics.referral_for_risk(np.zeros(20), nothing, np.arange(20), 0.02, candidates=CANDIDATES)
    with pytest.raises(ValueError, match="no threshold keeps"):
        metrics.referral_for_risk_of_independent_frames(np.zeros(20), nothing, 0.02)


@pytest.mark.parametrize(("samples", "enough"), [(202, False), (203, True)])
def test_what_it_would_take_is_what_it_takes(samples, enough):
    try:
        metrics.referral_for_risk(np.zeros(samples), np.zeros(samples, bool), np.arange(samples), 0.02, candidates=CANDIDATES)
    except ValueError:
        assert not enough
    else:
        assert enough


def test_a_threshold_for_a_coverage_weighs_each_sample_once():
    uncertainty = np.array([0.1, 0.2, 0.3, 0.4, 0.9])
    groups = np.array(["a", "a", "a", "a", "b"])
    wrong = np.array([True, False, False, False, False])
    half = metrics.referral_for_coverage(uncertainty, wrong, groups, 0.5)
    assert (half.threshold, half.coverage, half.risk, half.risk_bound, half.samples) == (0.4, 0.5, 0.25, None, 2)
    assert metrics.referral_for_coverage(uncertainty, wrong, groups, 0.51).threshold == 0.9
    assert metrics.referral_for_coverage(uncertainty, wrong, groups, 1.0).coverage == 1


@pytest.mark.parametrize(
    ("uncertainty", "said"), [([], "no calibration frame"), ([np.nan, 1.0], "not a finite number"), ([1.0], "do not belong together")]
)
def test_scores_that_mean_nothing_are_refused(uncertainty, said):
    with pytest.raises(ValueError, match=said):
        metrics.referral_for_coverage(np.array(uncertainty), np.array([False, True]), np.array([0, 1]), 0.9)


def test_candidates_of_entropy_span_its_range():
    candidates = metrics.entropy_candidates(30)
    assert candidates[-1] == pytest.approx(np.log(30))
    assert (np.diff(candidates) > 0).all()
