"""A temperature mends confidence and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from model_repo import metrics

LOGITS = npst.arrays(np.float64, (4, 3, 5), elements=st.floats(-5, 5))


def softmax(logits: np.ndarray) -> np.ndarray:
    grown = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return grown / grown.sum(axis=-1, keepdims=True)


@settings(deadline=None)
@given(LOGITS, st.floats(0.5, 4))
def test_tempering_probabilities_is_dividing_logits(logits, temperature):
    np.testing.assert_allclose(metrics.temper(softmax(logits), temperature), softmax(logits / temperature), atol=1e-9)


def overconfident(rng: np.random.Generator, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Honest logits of one network, blown up by `factor`."""
    logits = rng.normal(0, 1.5, (20000, 6))
    honest = softmax(logits)
    labels = (rng.random((20000, 1)) > honest.cumsum(axis=1)).sum(axis=1)
    return softmax(factor * logits), labels


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_what_was_done_to_the_logits(factor):
    p, labels = overconfident(np.random.default_rng(3), factor)
    temperature = metrics.fit_temperature(p, labels)
    assert temperature == pytest.approx(factor, rel=0.03)
    found = metrics.tempering(p, labels, temperature)
    assert found.nll_after <= found.nll_before + 1e-9
    assert found.ece_after < 0.015
    assert metrics.accuracy(metrics.temper(p, temperature), labels) == metrics.accuracy(p, labels)


def test_members_are_tempered_each_before_their_mean():
    rng = np.random.default_rng(4)
    logits = rng.normal(0, 2, (3000, 1, 4))
    members = softmax(logits + rng.normal(0, 1, (3000, 5, 4)))
    labels = (rng.random((3000, 1)) > softmax(logits[:, 0] / 2).cumsum(axis=1)).sum(axis=1)
    temperature = metrics.fit_temperature(members, labels)
    tried = [metrics.nll(metrics.temper(members, t).mean(axis=1), labels) for t in (0.97 * temperature, temperature, 1.03 * temperature)]
    assert tried[1] == min(tried)
    assert metrics.tempering(members, labels, temperature).nll_after == pytest.approx(tried[1])


@pytest.mark.parametrize(
    ("p", "labels", "said"),
    [
        (np.zeros((0, 2)), [], "no calibration frame"),
        (np.array([[np.nan, 1.0]]), [1], "not a finite number"),
        (np.array([[0.9, 0.1], [0.2, 0.8]]), [0, 1], "every calibration answer is right"),
        (np.array([[0.9, 0.1], [0.2, 0.8]]), [1, 0], "know nothing of the lots"),
    ],
)
def test_answers_that_no_temperature_mends_are_refused(p, labels, said):
    with pytest.raises(ValueError, match=said):
        metrics.fit_temperature(p, np.array(labels, int))
