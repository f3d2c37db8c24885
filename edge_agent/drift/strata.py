"""Strata: settings of the acquisition that a calibration holds for.

Detector, acceleration voltage, magnification and dwell time are part of what a lot looks like. When the instrument says it changed one
of them, that is no drift: the frame belongs to another stratum, which has a calibration or lacks one. Magnification and dwell time count
in octaves, voltage to two digits; everything else that is recorded, such as the working distance, is left to the scatter between samples.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from edge_agent.core.frame import Acquisition

UNRECORDED = ""
"""The stratum of frames that say nothing of how they were taken."""
LONGEST_DETECTOR = 24


def stratum_of(acquisition: Acquisition) -> str:
    """The settings of a frame, in words; what the file does not say is left out.

    >>> from edge_agent.core.frame import Acquisition
    >>> stratum_of(Acquisition(detector="SE2", acceleration_voltage_v=5000.0, magnification=9500.0, dwell_s=3e-6))
    'SE2, 5 kV, about 8192x, about 4 us'
    """
    parts = []
    if acquisition.detector:
        parts.append(acquisition.detector.strip()[:LONGEST_DETECTOR])
    if _is_positive(acquisition.acceleration_voltage_v):
        parts.append(f"{acquisition.acceleration_voltage_v / 1e3:.2g} kV")
    if _is_positive(acquisition.magnification):
        parts.append(f"about {_octave(acquisition.magnification):.0f}x")
    if _is_positive(acquisition.dwell_s):
        parts.append(f"about {_octave(acquisition.dwell_s * 1e6):g} us")
    return ", ".join(parts)


def _is_positive(value: float | None) -> TypeGuard[float]:
    return value is not None and 0.0 < value < math.inf


def _octave(value: float) -> float:
    """The nearest power of two."""
    return 2.0 ** round(math.log2(value))
