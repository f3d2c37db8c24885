"""Kinds of shift are told apart only by what their samples have in common."""

from __future__ import annotations

import numpy as np
import pytest

from model_repo import metrics


def draw(rng, apart: float, samples: int = 20, frames: int = 6):
    kinds = np.repeat(["known", "filament", "unseen"], samples * frames)
    groups = np.repeat(np.arange(3 * samples), frames)
    place = np.repeat(np.arange(3), samples * frames)
    x = rng.normal(size=(len(kinds), 2)) + apart * np.column_stack([place == 1, place == 2])
    return x, kinds, groups


def test_kinds_far_apart_are_told_and_the_sample_tells_more_than_the_frame():
    x, kinds, groups = draw(np.random.default_rng(1), 2.0)
    frame = metrics.tell_kinds_apart(x, kinds, groups, replicates=100)
    sample = metrics.tell_kinds_apart(*metrics.sample_means(x, kinds, groups), replicates=100)
    assert frame.kinds == ("known", "filament", "unseen")
    assert 0.7 < frame.balanced_accuracy.low < frame.balanced_accuracy.value < sample.balanced_accuracy.value
    assert sample.balanced_accuracy.value > 0.95
    assert frame.confusion.sum(axis=1).tolist() == [120, 120, 120]
    assert sample.confusion.sum() == frame.samples == sample.samples == 60
    assert np.trace(frame.confusion) / 360 == pytest.approx(frame.balanced_accuracy.value)


def test_a_sample_never_helps_to_recognise_itself():
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(30), 10)
    kinds = np.where(groups % 2, "a", "b")
    signature = np.eye(30)[groups] * 10 + rng.normal(0, 0.1, (300, 30))  # tells the sample, nothing of its kind
    assert metrics.tell_kinds_apart(signature, kinds, groups, replicates=10).balanced_accuracy.value < 0.7


def test_means_are_of_one_sample_under_one_kind():
    x = np.array([[1.0], [3], [5], [7]])
    means, kinds, groups = metrics.sample_means(x, ["known", "known", "filament", "known"], ["s", "s", "s", "r"])
    assert (means.ravel().tolist(), kinds, groups) == ([2, 5, 7], ["known", "filament", "known"], ["s", "s", "r"])


@pytest.mark.parametrize(
    ("x", "kinds", "groups", "said"),
    [
        ([[1, np.nan]], ["a"], [0], "feature 1 is not a finite"),
        ([[1], [2]], ["a", "a"], [0, 1], "one kind only"),
        ([[1], [2], [3]], ["a", "b", "b"], [0, 1, 2], "kind 'a' has a single sample"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(x, kinds, groups, said):
    with pytest.raises(ValueError, match=said):
        metrics.tell_kinds_apart(np.array(x, float), kinds, groups)
