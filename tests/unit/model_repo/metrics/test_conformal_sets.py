"""Prediction sets hold the true lot as often as they say, for frames of samples that were never seen."""

from __future__ import annotations

import numpy as np
import pytest

from model_repo import metrics

FRAMES = 20


def draw(rng: np.random.Generator, samples: int, shared: float = 0.8, lots: int = 2):
    """Frames of `samples` samples of each lot whose scores share `shared` of their variance within the sample."""
    labels = np.repeat(np.arange(lots), samples * FRAMES)
    groups = np.repeat(np.arange(lots * samples), FRAMES)
    own = rng.normal(0, np.sqrt(shared), lots * samples)[groups] + rng.normal(0, np.sqrt(1 - shared), len(groups))
    scores = rng.normal(3, 1, (len(groups), lots))
    scores[np.arange(len(groups)), labels] = own
    return scores, labels, groups


def test_p_values_by_hand_for_samples_of_one_frame():
    scores = np.array([[1.0, 9], [2, 9], [3, 9], [9, 5]])
    p = metrics.label_p_values(
        scores, np.array([0, 0, 0, 1]), [1, 2, 3, 4], np.array([[2.0, 5.0], [9, 1]]), np.array([0.5, 0.2]), rng=np.random.default_rng(0)
    )
    np.testing.assert_allclose(p, [[(1 + 0.5 * 2) / 4, 0.5 * 2 / 2], [0.2 / 4, (1 + 0.2) / 2]])
    assert metrics.prediction_sets(p, 0.1).tolist() == [[True, True], [False, True]]


def test_a_drawn_frame_belongs_to_its_own_sample_and_lot():
    scores = np.array([[0.0, 50], [0, 50], [10, 50], [50, 7]])
    labels, groups = np.array([0, 0, 0, 1]), ["a", "a", "b", "c"]
    p = metrics.label_p_values(scores, labels, groups, np.tile([5.0, 6.0], (200, 1)), np.ones(200), rng=np.random.default_rng(0))
    assert (p[:, 0] == (1 + 1) / 3).all()  # always one of a, always b
    assert (p[:, 1] == (1 + 1) / 2).all()


def test_new_samples_are_covered_as_promised_and_frames_as_samples_would_not_be():
    rng = np.random.default_rng(11)
    covered = {"samples": [], "frames": []}
    for _ in range(500):
        scores, labels, groups = draw(rng, 3)
        new, truth, _ = draw(rng, 1)
        for unit, belongs in (("samples", groups), ("frames", np.arange(len(groups)))):
            p = metrics.label_p_values(scores, labels, belongs, new, rng.random(len(new)), rng=rng)
            covered[unit].append(metrics.prediction_sets(p, 0.1)[np.arange(len(truth)), truth].reshape(2, FRAMES).mean(axis=1))
    means = {unit: np.mean(each) for unit, each in covered.items()}
    error = np.std(covered["samples"], ddof=1) / np.sqrt(1000)
    assert abs(means["samples"] - 0.9) < 3 * error < 0.03
    assert means["frames"] < 0.87


def test_coverage_weighs_samples_and_names_a_lot_that_misses():
    sets = np.array([[True, False]] * 3 + [[False, False]] + [[True, True]] * 40)
    labels = np.array([0, 0, 0, 0] + [1] * 40)
    groups = [0, 0, 0, 1] + [2 + k // 4 for k in range(40)]
    found = metrics.coverage(sets, labels, groups, 0.1)
    assert [(lot.lot, lot.samples, lot.coverage) for lot in found.lots] == [(0, 2, 0.5), (1, 10, 1.0)]
    assert found.lots[0].standard_error == pytest.approx(0.5)
    assert found.lots[1].standard_error == pytest.approx((11 / 12 * 1 / 12 / 10) ** 0.5)  # ten that agree could still have had an eleventh
    assert found.pooled == pytest.approx(11 / 12)
    assert found.set_size == pytest.approx((1 + 0 + 10 * 2) / 12)
    assert found.holds


def covered(*counts: tuple[int, int]):
    """Coverage of lots that have this many covered samples of so many, one frame each."""
    labels = np.repeat(np.arange(len(counts)), [count for _, count in counts])
    inside = np.concatenate([np.arange(count) < held for held, count in counts])
    sets = (np.arange(len(counts)) == labels[:, None]) & inside[:, None]
    return metrics.coverage(sets, labels, np.arange(len(labels)), 0.1)


@pytest.mark.parametrize(
    ("held", "count", "missed"),
    [(16, 16, False), (16, 100, True), (0, 2, True), (1, 2, False), (0, 1, False), (28, 28, False), (36, 36, True), (12, 16, False)],
)
def test_a_lot_is_off_when_chance_would_hardly_do_it(held, count, missed):
    found = covered((held, count))
    assert found.lots[0].missed is missed
    assert found.lots[0].standard_error > 0


def test_the_probability_is_the_binomials_own():
    assert metrics.binomial_p_value(16, 16, 0.9) == pytest.approx(2 * 0.9**16)  # 0.19 on one side
    assert metrics.binomial_p_value(16, 100, 0.9) < 1e-50
    assert metrics.binomial_p_value(0, 3, 0.9) == pytest.approx(2 * 0.1**3)
    assert metrics.binomial_p_value(9, 10, 0.9) == 1
    assert metrics.binomial_p_value(6.5, 10, 0.9) == pytest.approx(0.05, abs=0.03)  # between six and seven


def test_one_lot_in_many_may_not_cry_and_all_lots_together_still_do():
    assert not any(lot.missed for lot in covered(*[(16, 16)] * 30).lots)
    assert not covered(*[(16, 16)] * 30).holds  # 480 of 480 at a nominal 90 %: no lot proves it, all together do
    assert [lot.missed for lot in covered(*[(15, 16)] * 29, (8, 16)).lots] == [False] * 29 + [True]


@pytest.mark.parametrize("frames", [1, 3, 20])
def test_lots_that_are_as_nominal_are_seldom_called_off(frames):
    rng = np.random.default_rng(frames)
    runs = 400
    missed = 0
    for _ in range(runs):
        share = rng.beta(1.8, 0.2, (8, 1))  # samples differ: mean 0.9
        held = rng.random((8, frames)) < share
        missed += metrics.binomial_p_value(held.mean(axis=1).sum(), 8, 0.9) <= 0.05
    assert missed <= 0.05 * runs + 3 * (0.05 * 0.95 * runs) ** 0.5


def test_coverage_over_splits_is_nominal_with_a_lot_of_either_difficulty():
    rng = np.random.default_rng(3)
    scores, labels, groups = draw(rng, 20, lots=3)
    scores[labels == 2] += 1.5
    found = metrics.coverage_over_splits(scores, labels, groups, rng.random(len(labels)), rng=rng)
    assert found.holds
    assert [lot.samples for lot in found.lots] == [20, 20, 20]
    assert found.pooled == pytest.approx(0.9, abs=0.04)
    assert 0.9 < found.set_size < 3


def test_a_lot_that_cannot_be_judged_is_named():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="lot 1 has no calibration frame"):
        metrics.label_p_values(np.zeros((2, 2)), np.array([0, 0]), [0, 1], np.zeros((1, 2)), np.ones(1), rng=rng)
    with pytest.raises(ValueError, match="lot 1 has 1 samples"):
        metrics.coverage_over_splits(np.zeros((3, 2)), np.array([0, 0, 1]), [0, 1, 2], np.ones(3), rng=rng)
    with pytest.raises(ValueError, match=r"one sample is said to be of lots \[0, 1\]"):
        metrics.coverage_over_splits(np.zeros((4, 2)), np.array([0, 0, 1, 1]), [0, 1, 1, 2], np.ones(4), rng=rng)


def test_nonconformity_is_what_the_ensemble_leaves_to_the_others():
    members = np.array([[[0.8, 0.2], [0.6, 0.4]]])
    np.testing.assert_allclose(metrics.nonconformity(members), [[0.3, 0.7]])
    np.testing.assert_allclose(metrics.nonconformity(members[:, 0]), [[0.2, 0.8]])
