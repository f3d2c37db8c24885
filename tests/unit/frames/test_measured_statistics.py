import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.frames import content_hash, measure, statistics


def reference(x: Any) -> tuple[float, ...]:
    """The same quantities straight from their definitions, in double precision."""
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3))
    noise = math.sqrt(math.pi / 2) * np.abs((windows * mask).sum(axis=(2, 3))).sum() / (6 * (x.shape[0] - 2) * (x.shape[1] - 2))
    gradient = (np.diff(x, axis=0) ** 2).sum() + (np.diff(x, axis=1) ** 2).sum()
    return x.mean(), math.log(x.std()), math.log(max(noise, 1e-6)), math.log(gradient / x.size / x.var())


@given(
    st.integers(3, 70), st.integers(3, 70), st.integers(0, 2**32 - 1), st.sampled_from(["uint8", "uint16", "float32"]), st.integers(1, 9)
)
@settings(deadline=None)
def test_the_statistics_are_their_definitions_whatever_the_blocks(height: int, width: int, seed: int, kind: str, rows: int) -> None:
    values = np.random.default_rng(seed).random((height, width))
    scale = 1.0 if kind == "float32" else float(np.iinfo(kind).max)
    pixels = (values * scale).astype(kind)
    before, statistics.BLOCK_PX = statistics.BLOCK_PX, rows * width
    try:
        told = measure(pixels, scale)
    finally:
        statistics.BLOCK_PX = before
    expected = reference(pixels.astype(float) / scale)
    np.testing.assert_allclose((told.mean, told.log_sigma, told.log_noise, told.log_sharpness), expected, atol=2e-5)


@pytest.mark.parametrize("sigma", [0.01, 0.05])
def test_the_noise_of_a_smooth_scene_is_estimated(sigma: float) -> None:
    ramp = np.add.outer(np.linspace(0.2, 0.6, 512), np.linspace(0, 0.2, 512))
    noisy = ramp + np.random.default_rng(0).normal(0, sigma, ramp.shape)
    assert math.exp(measure(noisy.astype(np.float32), 1.0).log_noise) == pytest.approx(sigma, rel=0.03)


def test_a_blurred_frame_is_less_sharp_and_pixels_at_the_limits_are_counted() -> None:
    sharp = np.random.default_rng(0).integers(1, 255, (64, 64)).astype(np.uint8)
    blurred = ((sharp.astype(int) + np.roll(sharp, 1, 1)) // 2).astype(np.uint8)
    assert measure(blurred, 255).log_sharpness < measure(sharp, 255).log_sharpness
    sharp[:16], sharp[-8:] = 0, 255
    told = measure(sharp, 255)
    assert (told.low_fraction, told.high_fraction) == (0.25, 0.125)


def test_the_content_hash_knows_shape_and_type_but_not_memory_layout() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (32, 64)).astype(np.uint8)
    assert content_hash(pixels) == content_hash(np.asfortranarray(pixels)) == content_hash(pixels.copy())
    assert len({content_hash(pixels), content_hash(pixels.reshape(64, 32)), content_hash(pixels.astype(np.uint16))}) == 3


def test_too_few_pixels_are_an_error() -> None:
    with pytest.raises(ValueError, match="too few"):
        measure(np.zeros((2, 9), np.uint8), 255)
