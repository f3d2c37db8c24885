"""Fields cover the frame evenly, and averaging over areas equals a slow reference."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.inference import Preprocessing, tile
from edge_agent.inference.fields import area_average, grid

DEFAULT = Preprocessing()


def reference_average(window: Any, px: int) -> Any:
    """Cell by cell, pixel by pixel, weighing by overlap."""
    side = window.shape[0]
    ratio = side / px
    averaged = np.zeros((px, px))
    shares = [
        [(i, min((k + 1) * ratio, i + 1) - max(k * ratio, i)) for i in range(side) if min((k + 1) * ratio, i + 1) > max(k * ratio, i)]
        for k in range(px)
    ]
    for r, rows in enumerate(shares):
        for c, columns in enumerate(shares):
            averaged[r, c] = sum(float(window[i, j]) * a * b for i, a in rows for j, b in columns) / ratio**2
    return averaged


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(("side", "px"), [(32, 8), (8, 8), (30, 8), (17, 8), (5, 8), (1, 4), (9, 3)])
def test_area_averaging_equals_the_reference(dtype: type, side: int, px: int) -> None:
    pixels = np.random.default_rng(side).uniform(0, 255, (side, side)).astype(dtype)
    np.testing.assert_allclose(area_average(pixels, px), reference_average(pixels, px), rtol=2e-6, atol=1e-4)


def test_sums_of_the_largest_16_bit_values_do_not_overflow() -> None:
    frame = np.full((512, 512), 65535, dtype=np.uint16)
    fields, _ = tile(frame, 65535.0, Preprocessing(field_px=512, input_px=4))
    np.testing.assert_allclose(fields, 1, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((768, 1024), (3, 4)),
        ((1536, 2048), (3, 4)),
        ((256, 256), (1, 1)),
        ((257, 256), (2, 1)),
        ((100, 100), (1, 1)),
        ((100, 1000), (1, 10)),
        ((10, 100_000), (1, 12)),
        ((100_000, 10), (12, 1)),
        ((1200, 1200), (3, 4)),
    ],
)
def test_the_grid_keeps_the_frames_aspect_within_the_limit(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    assert grid(*shape, min(256, *shape), 12) == expected


@given(height=st.integers(1, 3000), width=st.integers(1, 3000), most=st.integers(1, 40))
@settings(deadline=None)
def test_the_grid_never_exceeds_its_limit_and_is_whole_when_it_fits(height: int, width: int, most: int) -> None:
    side = min(256, height, width)
    rows, columns = grid(height, width, side, most)
    whole = math.ceil(height / side), math.ceil(width / side)
    assert 1 <= rows <= whole[0]
    assert 1 <= columns <= whole[1]
    assert rows * columns <= most
    assert (rows, columns) == whole or whole[0] * whole[1] > most


def test_first_and_last_fields_touch_the_frames_edges() -> None:
    frame = np.zeros((300, 700), dtype=np.uint8)
    frame[0, 0] = frame[-1, -1] = 255
    fields, (rows, columns) = tile(frame, 255.0, DEFAULT)
    assert (rows, columns) == (2, 3)
    assert fields.dtype == np.float32
    assert fields.shape == (6, 1, 64, 64)
    assert fields[0, 0, 0, 0] > 0
    assert fields[-1, 0, -1, -1] > 0
    assert np.count_nonzero(fields) == 2


def test_fields_are_row_major() -> None:
    frame = np.repeat(np.repeat(np.arange(6, dtype=np.uint8).reshape(2, 3), 256, axis=0), 256, axis=1)
    fields, grid_ = tile(frame, 255.0, DEFAULT)
    assert grid_ == (2, 3)
    np.testing.assert_allclose(fields[:, 0, 0, 0] * 255, np.arange(6), atol=1e-5)


def test_equal_intensities_give_equal_fields_whatever_the_type() -> None:
    eight = np.random.default_rng(1).integers(0, 256, (300, 300)).astype(np.uint8)
    wide, _ = tile(eight.astype(np.uint16) * 257, 65535.0, DEFAULT)
    narrow, _ = tile(eight, 255.0, DEFAULT)
    real, _ = tile((eight / 255).astype(np.float32), 1.0, DEFAULT)
    np.testing.assert_allclose(wide, narrow, atol=1e-6)
    np.testing.assert_allclose(real, narrow, atol=1e-5)


def test_values_beyond_full_scale_are_clipped() -> None:
    fields, _ = tile(np.array([[-1.0, 3.0], [0.5, 1.0]], dtype=np.float32), 1.0, Preprocessing(input_px=2))
    np.testing.assert_allclose(fields[0, 0], [[0, 1], [0.5, 1]])


def test_a_frame_of_an_instrument_is_tiled_in_milliseconds() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (768, 1024)).astype(np.uint8)
    tile(frame, 255.0, DEFAULT)
    best = math.inf
    for _ in range(20):
        began = time.perf_counter()
        tile(frame, 255.0, DEFAULT)
        best = min(best, time.perf_counter() - began)
    assert best < 0.003
