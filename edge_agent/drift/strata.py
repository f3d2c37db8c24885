"""Strata: settings of the acquisition that a calibration holds for.

Detector, acceleration voltage, magnification and dwell time are part of what a lot looks like. When the instrument says it changed one
of them, that is no drift: the frame belongs to another stratum, which has a calibration or lacks one. Magnification and dwell time count
in octaves, voltage to two digits; everything else that is recorded, such as the working distance, is left to the scatter between samples.

A frame that leaves one of them out is of another stratum than a frame that tells it: what is not recorded is not guessed. Numbers that are
not finite and above 0 are not recorded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from edge_agent.core.frame import Acquisition

UNRECORDED = ""
"""The stratum of frames that say nothing of how they were taken."""
LONGEST_DETECTOR = 24
SMALLEST, LARGEST = 1e-15, 1e15
"""Beyond these no voltage, magnification or dwell time is a measured one."""
SETTLED = 48
"""Frames by which one stratum must lead all others to be the stream's usual one for good."""


def stratum_of(acquisition: Acquisition) -> str:
    """The settings of a frame, in words; what the file does not say is left out.

    >>> from edge_agent.core.frame import Acquisition
    >>> stratum_of(Acquisition(detector="SE2", acceleration_voltage_v=5000.0, magnification=9500.0, dwell_s=3e-6))
    'SE2, 5 kV, about 8192x, about 4 us'
    """
    parts = []
    if detector := "".join(filter(str.isprintable, acquisition.detector or "")).strip()[:LONGEST_DETECTOR]:
        parts.append(detector)
    if _is_positive(acquisition.acceleration_voltage_v):
        parts.append(f"{acquisition.acceleration_voltage_v / 1e3:.2g} kV")
    if _is_positive(acquisition.magnification):
        parts.append(f"about {_octave(acquisition.magnification):.0f}x")
    if _is_positive(acquisition.dwell_s):
        parts.append(f"about {_octave(acquisition.dwell_s * 1e6):g} us")
    return ", ".join(parts)


def _is_positive(value: float | None) -> TypeGuard[float]:
    return value is not None and SMALLEST < value < LARGEST


def _octave(value: float) -> float:
    """The nearest power of two."""
    return 2.0 ** round(math.log2(value))


@dataclass(slots=True)
class Home:
    """The settings that a calibration is held to be for when its own frames did not say: those that most of the stream's frames show.

    A majority vote in constant memory (Boyer & Moore 1991, MJRTY): a frame at `stratum` adds to its lead, one at other settings takes
    from it, and the first one after the lead is gone names another. A wrong first frame or first sample is so outvoted. Once it leads by
    SETTLED frames it stays: settings that are changed for good are another stratum, and only a calibration, or an operator's re-base,
    says what is usual there.

    Attributes:
        stratum: None before the first frame.
        lead: frames by which it leads.
    """

    stratum: str | None = None
    lead: int = 0

    def moves(self, stratum: str) -> bool:
        """Take a frame; whether it made these settings the usual ones in the place of others."""
        if self.lead >= SETTLED:
            return False
        if self.stratum == stratum:
            self.lead += 1
            return False
        if self.lead > 0:
            self.lead -= 1
            return False
        moved = self.stratum is not None
        self.stratum, self.lead = stratum, 1
        return moved
