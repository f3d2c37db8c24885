"""Known changes of the acquisition."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.frames import measure
from edge_agent.simulate import known_changes
from edge_agent.simulate.changes import noise_of

CHANGES = {(change.name, change.strength): change for change in known_changes()}


@pytest.fixture(scope="module")
def seen():
    """A textured frame in [0, 1] with noise, well inside the limits."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:128, 0:160]
    return np.clip(0.5 + 0.15 * np.sin(x / 5) * np.cos(y / 7) + rng.normal(0, 0.03, x.shape), 0, 1)


@pytest.mark.parametrize("name", sorted({name for name, _ in CHANGES}))
def test_a_change_moves_its_own_statistic_further_the_stronger_it_is(name, seen):
    place, direction = {
        "filament change": ("log_noise", 1),
        "rise in brightness": ("mean", 1),
        "fall in brightness": ("mean", -1),
        "loss of contrast": ("log_sigma", -1),
        "loss of focus": ("log_noise", -1),
        "rise in noise": ("log_noise", 1),
        "loss of dose": ("mean", -1),
    }[name]
    pixels = (seen * 255).astype(np.uint8)
    strengths = [0.0, *sorted(strength for of, strength in CHANGES if of == name)]
    found = []
    for strength in strengths:
        shown = CHANGES[name, strength].apply(pixels, np.random.default_rng(1)) if strength else pixels
        assert shown.dtype == pixels.dtype
        assert shown.shape == pixels.shape
        found.append(direction * getattr(measure(shown, 255.0), place))
    steps = np.diff(found[1:] if name == "filament change" else found)  # a mild one blurs as much noise away as it adds
    assert (steps > 0).all(), found


@pytest.mark.parametrize("change", CHANGES.values(), ids=lambda change: f"{change.name} {change.strength}")
def test_a_change_is_the_same_whatever_numbers_the_detector_counts_in(change, seen):
    twelve_bit = change.apply((seen * 4095).astype(np.uint16), np.random.default_rng(1), full_scale=4095.0)
    as_floats = change.apply(seen.astype(np.float32), np.random.default_rng(1), full_scale=1.0)
    assert twelve_bit.max() <= 4095
    np.testing.assert_allclose(twelve_bit.mean() / 4095, as_floats.mean(), atol=2e-3)
    np.testing.assert_allclose(twelve_bit.std() / 4095, as_floats.std(), rtol=0.05)


@pytest.mark.parametrize("rise", [0.15, 0.5])
def test_a_rise_in_noise_is_what_it_says(rise, seen):
    before, after = (
        measure(frame, 1.0).log_noise for frame in (seen, CHANGES["rise in noise", rise].apply(seen, np.random.default_rng(2), 1.0))
    )
    assert np.exp(after - before) == pytest.approx(1 + rise, rel=0.03)


@pytest.mark.parametrize("loss", [0.3, 0.6])
def test_a_loss_of_dose_dims_the_signal_and_its_noise_by_the_root(loss, seen):
    shown = CHANGES["loss of dose", loss].apply(seen, np.random.default_rng(2), 1.0)
    before, after = measure(seen, 1.0), measure(shown, 1.0)
    assert after.mean / before.mean == pytest.approx(1 - loss, rel=0.01)
    assert np.exp(after.log_noise - before.log_noise) == pytest.approx((1 - loss) ** 0.5, rel=0.04)


def test_the_noise_is_estimated_as_it_is_measured(seen):
    assert np.log(noise_of(seen)) == pytest.approx(measure(seen, 1.0).log_noise, abs=1e-3)
