"""A scale of colours that grows evenly lighter, so that the colour-blind and a grey printer order it as everybody does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ANCHORS = ((68, 1, 84), (65, 68, 135), (42, 120, 142), (34, 168, 132), (122, 209, 81), (253, 231, 37))
"""sRGB, evenly spaced from least to most: from dark violet by blue and green to yellow, after viridis (Smith & van der Walt 2015)."""
LEVELS = 256


def table() -> NDArray[np.uint8]:
    """Shape (LEVELS, 3): the colours between the anchors, least first."""
    places = np.linspace(0, len(ANCHORS) - 1, LEVELS)
    channels = [np.interp(places, np.arange(len(ANCHORS)), channel) for channel in zip(*ANCHORS, strict=True)]
    scale: NDArray[np.uint8] = np.rint(np.stack(channels, axis=1)).astype(np.uint8)
    return scale


def colours(values: NDArray[np.float64], least: float, most: float) -> NDArray[np.uint8]:
    """Each value's colour, shape (*values.shape, 3); what is not finite takes the least's."""
    scaled = (np.nan_to_num(values, nan=least) - least) / (most - least) if most > least else np.full(values.shape, 0.5)
    levels = np.rint(np.clip(scaled, 0, 1) * (LEVELS - 1)).astype(np.intp)
    painted: NDArray[np.uint8] = table()[levels]
    return painted
