"""Maps as text and for JSON: every place where it lies on the frame, and what is not known said to be so."""

from __future__ import annotations

import json
import math

import numpy as np

from edge_agent.inspection import WIDEST, frame_map, legend, listed, map_text


def test_a_map_is_denser_where_it_is_larger_and_says_what_it_does_not_know() -> None:
    assert map_text(np.array([[0.0, 1.0], [0.5, math.nan]]), 0.0, 1.0) == ["  @@", "==??"]
    assert map_text(np.array([[-9.0, 9.0]]), 0.0, 1.0) == ["  @@"]
    assert map_text(np.array([[2.0, 2.0]]), 2.0, 2.0) == ["    "]


def test_the_fields_maps_lie_side_by_side_as_the_fields_do() -> None:
    maps = np.arange(2 * 3 * 2 * 2, dtype=np.float32).reshape(6, 2, 2)
    whole = frame_map(maps, (2, 3))
    assert whole.shape == (4, 6)
    for field, (row, column) in enumerate(np.ndindex(2, 3)):
        np.testing.assert_array_equal(whole[2 * row : 2 * row + 2, 2 * column : 2 * column + 2], maps[field])


def test_a_wide_map_is_averaged_to_what_a_line_holds() -> None:
    maps = np.random.default_rng(0).random((12, 32, 32)).astype(np.float32)
    cells = frame_map(maps, (3, 4))
    assert cells.shape == (32, 42)
    assert cells.shape[1] <= WIDEST
    np.testing.assert_allclose(cells[0, 0], maps[0, :3, :3].mean(), rtol=1e-6)


def test_a_legend_tells_both_ends() -> None:
    assert legend(0.0, math.log(3), "nats") == "'?' is not known, blank 0, '=' 0.488, '@' 1.1 nats"
    assert legend(0.5, 0.5, "") == "'?' is not known, blank 0.5, '=' 0.5, '@' 0.5"


def test_what_is_not_finite_is_null_in_json() -> None:
    assert json.loads(json.dumps(listed(np.array([[[1.5, np.nan]]], np.float32)))) == [[[1.5, None]]]
