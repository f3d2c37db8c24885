"""Tescan: an INI text of sections MAIN and SEM (or FIB), in the TIFF's tag 50431 or in a side-car .hdr; all values are SI already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.frames.readers.ini import parse_ini
from edge_agent.frames.readers.record import Record, text_of
from edge_agent.frames.readers.units import to_number, to_utc

if TYPE_CHECKING:
    from datetime import tzinfo

WHEN = ("%Y-%m-%d %H:%M:%S",)
LARGEST_BAR_SHARE = 0.5
BEGINS = b"[MAIN]"
NUMBERS = {
    "beam_current_a": ("PredictedBeamCurrent", "BeamCurrent"),
    "dwell_s": ("DwellTime",),
    "working_distance_m": ("WD",),
    "stage_x_m": ("StageX",),
    "stage_y_m": ("StageY",),
}


def is_tescan(content: bytes) -> bool:
    """Whether Tescan's text is somewhere in it."""
    return BEGINS in content and b"=" in content


def read_tescan(content: bytes, stored_rows: int, time_zone: tzinfo | None, side_car: str = "") -> Record:
    """How it was taken; a binary preamble, which the tag has, is skipped."""
    record = Record(side_car)
    begin = content.find(BEGINS)
    sections = parse_ini(content[begin:].split(b"\0", 1)[0].decode("utf-8", "replace") if begin >= 0 else "")
    main = sections.get("MAIN", {})
    name = "SEM" if "SEM" in sections or "FIB" not in sections else "FIB"
    column = sections.get(name, {})
    record.take("acquired_at", to_utc(f"{main.get('Date', '')} {main.get('Time', '')}", WHEN, time_zone), "[MAIN] Date, Time")
    for key in ("DeviceModel", "Device", "SerialNumber"):
        record.take("instrument", text_of(main.get(key)), f"[MAIN] {key}")
    for key in ("Detector", "Detector0"):
        record.take("detector", text_of(column.get(key)), f"[{name}] {key}")
    for key in ("HV", "AcceleratorVoltage", "AccelerationVoltage"):
        voltage = to_number(column.get(key))
        record.take("acceleration_voltage_v", abs(voltage) if voltage else None, f"[{name}] {key}")
    for field, keys in NUMBERS.items():
        for key in keys:
            record.take(field, to_number(column.get(key)), f"[{name}] {key}")
    record.take("magnification", to_number(main.get("Magnification")) or None, "[MAIN] Magnification")
    record.take("pixel_size_m", to_number(main.get("PixelSizeX")) or None, "[MAIN] PixelSizeX")
    for section, values in sections.items():
        for key, value in values.items():
            record.also(f"{section}.{key}", value)
    strip = to_number(main.get("ImageStripSize")) or 0
    record.bar_rows = int(strip) if 0 < strip < stored_rows * LARGEST_BAR_SHARE else 0
    return record
