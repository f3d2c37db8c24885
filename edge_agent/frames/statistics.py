"""What is measured on every frame at full resolution."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.core.frame import AcquisitionStatistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.core.frame import Pixels

BLOCK_PX = 1 << 16
"""Pixels worked on at a time: intermediate arrays stay in the processor's cache, and memory does not grow with the frame."""
SMALLEST = 1e-6
"""Stands for 0 under a logarithm: far below one step of 16 bit."""
DIGITS = 6


def measure(pixels: Pixels, full_scale: float) -> AcquisitionStatistics:
    """Measure a frame.

    The noise is Immerkaer's fast estimate (1996, Computer Vision and Image Understanding 64(2), 300-302), the sharpness the
    mean squared forward difference over the variance. Values are rounded to 6 digits so that repeats agree.

    Args:
        pixels: shape (height, width), both at least 3.
        full_scale: the value that stands for intensity 1.
    """
    height, width = pixels.shape
    if height < 3 or width < 3:
        raise ValueError(f"{height} x {width} pixels are too few to measure noise; 3 x 3 are needed")
    offset = float(pixels[height // 2, width // 2])  # near the mean: the variance then loses no digits
    total = squares = laplacian = gradient = 0.0
    low = high = 0
    rows = max(1, BLOCK_PX // width)
    for top in range(0, height, rows):
        own = pixels[top : top + rows]
        block = pixels[top : top + rows + 2].astype(np.float32)
        block -= np.float32(offset)
        values = block[: len(own)]
        total += float(values.sum(dtype=np.float64))
        squares += _square_sum(values)
        low += int(np.count_nonzero(own <= 0))
        high += int(np.count_nonzero(own >= full_scale))
        across = np.diff(values, axis=1)
        gradient += _square_sum(across)
        down = np.diff(block[: len(own) + 1], axis=0)
        gradient += _square_sum(down)
        if len(block) >= 3:
            laplacian += _laplacian_sum(block)
    count = height * width
    mean = total / count
    variance = max(0.0, squares / count - mean * mean)
    noise = math.sqrt(math.pi / 2) * laplacian / (6 * (height - 2) * (width - 2))
    return AcquisitionStatistics(
        mean=round((mean + offset) / full_scale, DIGITS),
        log_sigma=_log(math.sqrt(variance) / full_scale),
        log_noise=_log(noise / full_scale),
        log_sharpness=_log(gradient / count / variance if variance > 0 else 0.0),
        low_fraction=round(low / count, DIGITS),
        high_fraction=round(high / count, DIGITS),
    )


def content_hash(pixels: Pixels) -> str:
    """SHA-256, hexadecimal, of the pixels' shape, type and bytes (little-endian, row by row)."""
    digest = hashlib.sha256(f"{pixels.shape[0]}x{pixels.shape[1]} {pixels.dtype.name}\n".encode())
    digest.update(np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)).data)
    return digest.hexdigest()


def _laplacian_sum(block: NDArray[np.float32]) -> float:
    """Sum of |I * N| with N = [1 -2 1]^T [1 -2 1], over the block's inner pixels."""
    across = np.diff(block, 2, axis=1)
    across = np.diff(across, 2, axis=0)
    return float(np.abs(across, out=across).sum(dtype=np.float64))


def _square_sum(values: NDArray[Any]) -> float:
    flat = values.ravel()
    return float(np.dot(flat, flat))


def _log(value: float) -> float:
    return round(math.log(max(value, SMALLEST)), DIGITS)
