"""Frames made from a seed, for tests that need some."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from edge_agent.core.frame import Acquisition, AcquisitionStatistics, Frame


def frame_of(pixels: Any, full_scale: float = 255.0) -> Frame:
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    return Frame(pixels, full_scale, 0, 1, digest, Acquisition(), AcquisitionStatistics(0, 0, 0, 0, 0, 0))


def noise_frame(seed: int, shape: tuple[int, int] = (300, 520)) -> Frame:
    return frame_of(np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8))
