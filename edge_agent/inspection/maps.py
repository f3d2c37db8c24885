"""Maps of a frame: as text, for JSON, and as a picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHADES = " .:-=+*#%@"
UNKNOWN = "?"
WIDEST = 48
"""Cells of a map on a line of text, two characters each."""


def map_text(cells: NDArray[np.float64], least: float, most: float) -> list[str]:
    """A map as lines of text, denser where it is larger.

    Args:
        cells: shape (rows, columns); a value that is not finite is shown as `?`.
        least: what a blank stands for.
        most: what `@` stands for.
    """
    scale = (len(SHADES) - 1) / (most - least) if most > least else 0.0

    def shade(value: float) -> str:
        return SHADES[min(len(SHADES) - 1, max(0, round((value - least) * scale)))] if math.isfinite(value) else UNKNOWN

    return ["".join(shade(value) * 2 for value in row) for row in cells.tolist()]


def legend(least: float, most: float, unit: str) -> str:
    """What the characters of `map_text` stand for.

    >>> legend(0.0, 1.0986, "nats")
    "'?' is not known, blank 0, '=' 0.488, '@' 1.1 nats"
    """
    middle = len(SHADES) // 2 - 1
    between = least + (most - least) * middle / (len(SHADES) - 1)
    ends = f"blank {least:.3g}, '{SHADES[middle]}' {between:.3g}, '{SHADES[-1]}' {most:.3g} {unit}".rstrip()
    return f"'{UNKNOWN}' is not known, {ends}"


def frame_map(local_maps: NDArray[np.float32], grid: tuple[int, int]) -> NDArray[np.float64]:
    """The fields' local maps side by side as the fields lie on the frame, averaged to at most WIDEST cells across.

    Args:
        local_maps: shape (fields, rows, columns).
        grid: rows and columns of fields.

    Returns:
        Shape (grid rows * rows, grid columns * columns), each divided by the same whole number where that is needed.
    """
    _, rows, columns = local_maps.shape
    whole = local_maps.reshape(*grid, rows, columns).swapaxes(1, 2).reshape(grid[0] * rows, grid[1] * columns).astype(np.float64)
    cell = -(-whole.shape[1] // WIDEST)
    height, width = (side // cell * cell for side in whole.shape)
    if cell == 1 or not height:
        return whole
    means: NDArray[np.float64] = whole[:height, :width].reshape(height // cell, cell, width // cell, cell).mean(axis=(1, 3))
    return means


def listed(local_maps: NDArray[np.float32]) -> list[Any]:
    """The maps for JSON, nested as their axes are; what is not finite is null."""
    cells = local_maps.astype(object)
    cells[~np.isfinite(local_maps)] = None
    nested: list[Any] = cells.tolist()
    return nested


def entropy_picture(pixels: np.ndarray, full_scale: float, field_entropy: Sequence[Sequence[float]], most: float) -> Image.Image:
    """The frame in grey with its entropy in red over it, stronger where the ensemble is less sure.

    Args:
        pixels: shape (height, width).
        full_scale: the value that stands for white.
        field_entropy: shape (rows, columns), nats.
        most: the entropy that is shown at full strength, nats.
    """
    grey = np.clip(np.asarray(pixels, np.float32) / full_scale, 0, 1)
    cells = np.clip(np.asarray(field_entropy, np.float32) / most, 0, 1)
    heat = np.asarray(Image.fromarray(cells).resize((grey.shape[1], grey.shape[0]), Image.Resampling.BILINEAR))
    strength = 0.65 * heat[..., None]
    colour = grey[..., None] * (1 - strength) + strength * np.array([1.0, 0.15, 0.1], np.float32)
    return Image.fromarray((colour * 255).astype(np.uint8))
