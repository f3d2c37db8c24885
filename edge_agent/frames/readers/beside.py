"""The text file that Hitachi, JEOL and Tescan microscopes write beside an image, whatever format the image itself has.

An image is complete without it: when it is there as the image is read it is used, when it comes later it is told as a companion only.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from edge_agent.frames.readers.ini import parse_ini, text_from
from edge_agent.frames.readers.record import Record, text_of
from edge_agent.frames.readers.tescan import is_tescan, read_tescan
from edge_agent.frames.readers.units import to_base_unit, to_number, to_quantity, to_utc

if TYPE_CHECKING:
    from datetime import tzinfo

    from edge_agent.frames.reader import Source

HITACHI_WHEN = ("%d/%m/%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S")
JEOL_WHEN = ("%Y/%m/%d %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%S", "%Y/%m/%d %I:%M:%S %p")
HITACHI_SECTIONS = ("SemImageFile", "TemImageFile", "")
HITACHI_ASPECT = 3 / 4
"""Hitachi's programs scan frames of 4 : 3; rows below are the data bar that was saved with them."""
LARGEST_BAR_SHARE = 0.25


def read_beside(source: Source, size: tuple[int, int], time_zone: tzinfo | None) -> Record:
    """What the side-car says of an image of `size` (height, width); an empty record when there is none that is known."""
    stem, suffix = PurePath(source.path).stem, PurePath(source.path).suffix
    for name in (f"{stem}.txt", f"{stem}{suffix}.txt"):
        content = source.beside(name)
        if content is None:
            continue
        text = text_from(content)
        if "$CM_" in text:
            return _jeol(text, name, size, time_zone)
        if "[SemImageFile]" in text or "[TemImageFile]" in text or "InstructName=" in text:
            return _hitachi(text, name, size, time_zone)
    for name in (f"{stem}.hdr", f"{stem}-{suffix[1:]}.hdr"):
        content = source.beside(name)
        if content is not None and is_tescan(content):
            return read_tescan(content, size[0], time_zone, name)
    return Record()


def _hitachi(text: str, name: str, size: tuple[int, int], time_zone: tzinfo | None) -> Record:
    """Lengths without a unit are nanometres."""
    record, sections = Record(name), parse_ini(text)
    section = next((one for one in HITACHI_SECTIONS if sections.get(one)), "")
    keys, place = sections.get(section, {}), f"[{section}] " if section else ""

    def nanometres(key: str) -> float | None:
        return to_base_unit(keys.get(key), "nm")

    record.take("acquired_at", to_utc(f"{keys.get('Date', '')} {keys.get('Time', '')}", HITACHI_WHEN, time_zone), f"{place}Date, Time")
    for key in ("InstructName", "SerialNumber"):
        record.take("instrument", text_of(keys.get(key)), place + key)
    record.take("detector", text_of(keys.get("SignalName")), f"{place}SignalName")
    record.take("sample_id", text_of(keys.get("SampleName")), f"{place}SampleName")
    record.take("acceleration_voltage_v", to_quantity(keys.get("AcceleratingVoltage")), f"{place}AcceleratingVoltage")
    record.take("magnification", to_number(keys.get("Magnification")) or None, f"{place}Magnification")
    record.take("working_distance_m", to_quantity(keys.get("WorkingDistance")), f"{place}WorkingDistance")
    record.take("pixel_size_m", nanometres("PixelSize") or None, f"{place}PixelSize")
    record.take("stage_x_m", nanometres("StagePositionX"), f"{place}StagePositionX")
    record.take("stage_y_m", nanometres("StagePositionY"), f"{place}StagePositionY")
    for key, value in keys.items():
        record.also(key, value)
    height, width = size
    if keys.get("DataSize") == f"{width}x{height}":
        record.bar_rows = _bar(height, round(width * HITACHI_ASPECT))
    return record


def _jeol(text: str, name: str, size: tuple[int, int], time_zone: tzinfo | None) -> Record:
    """Lines `$CM_KEY value` and `$$SM_KEY value`: voltage in kV, working distance and stage in mm."""
    record = Record(name)
    keys: dict[str, str] = {match[1]: match[2].strip() for match in re.finditer(r"^\$+([A-Z0-9_]+)[ \t]+(.*)$", text, re.MULTILINE)}

    def tag(key: str) -> str:
        return f"${key}" if key.startswith("CM_") else f"$${key}"

    def millimetres(text: str | None) -> float | None:
        return to_base_unit(text, "mm")

    record.take("acquired_at", to_utc(f"{keys.get('CM_DATE', '')} {keys.get('CM_TIME', '')}", JEOL_WHEN, time_zone), "$CM_DATE, $CM_TIME")
    record.take("instrument", text_of(keys.get("CM_INSTRUMENT")), "$CM_INSTRUMENT")
    for key in ("CM_SIGNAL_NAME", "CM_SIGNAL"):
        record.take("detector", text_of(keys.get(key)), tag(key))
    record.take("acceleration_voltage_v", to_base_unit(keys.get("CM_ACCEL_VOLT"), "kV"), "$CM_ACCEL_VOLT")
    record.take("magnification", to_number(keys.get("CM_MAG")) or None, "$CM_MAG")
    record.take("working_distance_m", millimetres(keys.get("SM_WD")), "$$SM_WD")
    bar_px, marker_m = to_number(keys.get("SM_MICRON_BAR")), to_quantity(keys.get("SM_MICRON_MARKER"))
    if bar_px and marker_m and bar_px > 0:
        record.take("pixel_size_m", float(f"{marker_m / bar_px:.12g}"), "$$SM_MICRON_MARKER / $$SM_MICRON_BAR")
    per_metre = to_number(keys.get("EM_PIXELSPERMETER_X"))
    if per_metre and per_metre > 0:
        record.take("pixel_size_m", float(f"{1 / per_metre:.12g}"), "$$EM_PIXELSPERMETER_X")
    for key in ("CM_STAGE_POS", "CM_STAGE_POSITION"):
        x, y, *_ = [*keys.get(key, "").split(), "", ""]
        record.take("stage_x_m", millimetres(x), f"{tag(key)} 1")
        record.take("stage_y_m", millimetres(y), f"{tag(key)} 2")
    for key, value in keys.items():
        record.also(key, value)
    full = [to_number(side) for side in keys.get("CM_FULL_SIZE", "").split()[:2]]
    if len(full) == 2 and full[0] == size[1] and full[1]:
        record.bar_rows = _bar(size[0], int(full[1]))
    return record


def _bar(stored_rows: int, image_rows: int) -> int:
    bar = stored_rows - image_rows
    return bar if 0 < bar < stored_rows * LARGEST_BAR_SHARE else 0
