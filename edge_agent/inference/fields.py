"""A frame becomes fields: evenly spaced windows, area-averaged to the network's input.

Training, calibration and the agent all use `tile`, so that a field means the same everywhere.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.core.frame import Pixels
    from edge_agent.inference.manifest import Preprocessing


def tile(pixels: Pixels, full_scale: float, preprocessing: Preprocessing) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """Cut a frame into fields.

    Args:
        pixels: shape (height, width).
        full_scale: the value that stands for intensity 1.
        preprocessing: field and input size, largest number of fields.

    Returns:
        Fields, float32, shape (rows * columns, 1, input_px, input_px), in [0, 1], row-major; and (rows, columns).
    """
    height, width = pixels.shape
    side = min(preprocessing.field_px, height, width)
    rows, columns = grid(height, width, side, preprocessing.max_fields)
    px = preprocessing.input_px
    fields = np.empty((rows * columns, 1, px, px), dtype=np.float32)
    for field, (y, x) in zip(fields, corners(height, width, side, (rows, columns)), strict=True):
        field[0] = area_average(pixels[y : y + side, x : x + side], px)
    fields *= np.float32(1 / full_scale)
    np.clip(fields, 0, 1, out=fields)
    return fields, (rows, columns)


def corners(height: int, width: int, side: int, rows_columns: tuple[int, int]) -> list[tuple[int, int]]:
    """The upper left corner (y, x) of each field, row-major, pixels."""
    rows, columns = rows_columns
    return [(y, x) for y in _offsets(height - side, rows) for x in _offsets(width - side, columns)]


def grid(height: int, width: int, side: int, max_fields: int) -> tuple[int, int]:
    """Rows and columns of windows that cover the frame, thinned to `max_fields` at about the frame's aspect."""
    all_rows, all_columns = math.ceil(height / side), math.ceil(width / side)
    if all_rows * all_columns <= max_fields:
        return all_rows, all_columns
    shrink = math.sqrt(max_fields / (all_rows * all_columns))
    rows = min(max(1, math.floor(all_rows * shrink)), max_fields)
    columns = min(max(1, math.floor(all_columns * shrink)), max_fields // rows)
    rows = min(rows, max_fields // columns)
    while True:
        wider = [
            (r, c) for r, c in ((rows, columns + 1), (rows + 1, columns)) if r * c <= max_fields and r <= all_rows and c <= all_columns
        ]
        if not wider:
            return rows, columns
        rows, columns = min(wider, key=lambda rc: _stretch(rc[0] * all_columns, rc[1] * all_rows))


def _stretch(a: int, b: int) -> float:
    return max(a, b) / min(a, b)


def _offsets(slack: int, count: int) -> list[int]:
    """First at 0, last at `slack`; a single window stands in the middle."""
    if count == 1:
        return [slack // 2]
    return [round(slack * k / (count - 1)) for k in range(count)]


def area_average(window: Pixels, px: int) -> NDArray[np.float32]:
    """Average a square window over the areas of `px` x `px` equal cells; shape (px, px).

    Whole-number ratios of integer pixels are summed exactly; any other ratio weighs each pixel by its overlap with the cell.
    """
    side = window.shape[0]
    if side % px == 0 and window.dtype.kind == "u":
        return _block_sums(window, side // px).astype(np.float32) * np.float32((px / side) ** 2)
    weights = _overlaps(side, px)
    return weights @ window.astype(np.float32) @ weights.T


def _block_sums(window: NDArray[Any], ratio: int) -> NDArray[np.uint32]:
    by_rows = window[0::ratio].astype(np.uint32)
    for k in range(1, ratio):
        by_rows += window[k::ratio]
    sums = by_rows[:, 0::ratio].copy()
    for k in range(1, ratio):
        sums += by_rows[:, k::ratio]
    return sums


@lru_cache(maxsize=32)
def _overlaps(side: int, px: int) -> NDArray[np.float32]:
    """Row k holds each pixel's share of cell k; shape (px, side), every row sums to 1."""
    edges = np.arange(px + 1) * (side / px)
    pixel = np.arange(side)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    weights: NDArray[np.float32] = (np.clip(overlap, 0, None) * (px / side)).astype(np.float32)
    weights.setflags(write=False)
    return weights
