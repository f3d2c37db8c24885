"""Zeiss SmartSEM: tag 34118 (CZ_SEM), which tifffile gives as key -> (name, value, unit)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.frames.readers.record import Record, text_of
from edge_agent.frames.readers.units import to_base_unit, to_number, to_utc

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from numpy.typing import NDArray

WHEN = ("%d %b %Y %H:%M:%S", "%d %b %Y %I:%M:%S %p")
QUANTITIES = {
    "acceleration_voltage_v": ("ap_actualkv", "ap_manualkv"),
    "beam_current_a": ("ap_iprobe",),
    "pixel_size_m": ("ap_image_pixel_size", "ap_pixel_size"),
    "dwell_s": ("dp_dwell_time",),
    "working_distance_m": ("ap_wd",),
    "stage_x_m": ("ap_stage_at_x",),
    "stage_y_m": ("ap_stage_at_y",),
}
SMALLEST_BAR_SHARE, LARGEST_BAR_SHARE = 0.02, 0.25
LINE_SHARE, ZONE_SHARE = 0.99, 0.7
RIM_ROWS = 1


def read_zeiss(tags: Mapping[str, Any], time_zone: tzinfo | None) -> Record:
    """How it was taken, in SI units; the data bar is another matter, see below."""
    record = Record()

    def value(key: str) -> object:
        found = tags.get(key)
        return found[1] if isinstance(found, tuple) and len(found) > 1 else None

    def text(field: str, key: str) -> None:
        record.take(field, text_of(value(key)), key.upper())

    def quantity(field: str, key: str) -> None:
        found = tags.get(key)
        if isinstance(found, tuple) and len(found) > 2:
            record.take(field, to_base_unit(found[1], str(found[2])), key.upper())

    when = f"{text_of(value('ap_date')) or ''} {text_of(value('ap_time')) or ''}"
    record.take("acquired_at", to_utc(when, WHEN, time_zone), "AP_DATE, AP_TIME")
    text("instrument", "sv_serial_number")
    text("detector", "dp_detector_channel")
    text("detector", "dp_detector_type")
    text("sample_id", "sv_sample_id")
    for field, keys in QUANTITIES.items():
        for key in keys:
            quantity(field, key)
    record.take("magnification", _magnification(tags.get("ap_mag")), "AP_MAG")
    for key, found in tags.items():
        if key and isinstance(found, tuple) and len(found) > 1 and str(found[1]).strip():
            record.also(key, " ".join(str(part) for part in found[1:]))
    return record


def find_zeiss_bar(values: NDArray[Any]) -> int:
    """Rows of the data zone at the bottom, 0 for none.

    SmartSEM's metadata does not say whether the data zone was burned in; when it was, a full-width line of pure black or white
    begins it, and most of every row below is pure black or white too. Only files with the Zeiss tag are looked at.
    """
    rows = values.shape[0]
    first = round(rows * (1 - LARGEST_BAR_SHARE))
    zone = values[first:] if values.ndim == 2 else values[first:, :, 0]
    full = np.iinfo(values.dtype).max if values.dtype.kind == "u" else 1
    share = ((zone == 0) | (zone == full)).mean(axis=1)
    share[-RIM_ROWS:] = 1  # the rim around the zone is neither black nor white
    below = np.minimum.accumulate(share[::-1])[::-1] >= ZONE_SHARE  # from here on down, every row belongs
    starts = np.flatnonzero(below & (share >= LINE_SHARE))
    bar = len(share) - int(starts[0]) if len(starts) else 0
    return bar + RIM_ROWS if bar >= rows * SMALLEST_BAR_SHARE else 0


def _magnification(found: object) -> float | None:
    """From (name, 105, "X") or (name, "1.50 K X")."""
    if not isinstance(found, tuple):
        return None
    number, *unit = " ".join(str(part) for part in found[1:]).split() or [""]
    value = to_number(number)
    return value * 1000 if value is not None and unit and unit[0] in {"K", "KX", "k"} else value
