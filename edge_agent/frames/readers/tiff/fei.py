"""FEI/Thermo Fisher: tags 34680 (FEI_SFEG) and 34682 (FEI_HELIOS), an INI text that tifffile gives as a dict of dicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.frames.readers.record import Record, text_of
from edge_agent.frames.readers.units import to_number, to_utc

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

CREATED = ("%d.%m.%Y %H:%M:%S",)
SAVED = ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%S")
LARGEST_BAR_SHARE = 0.5
EXTRA_SECTIONS = frozenset({"User", "System", "Beam", "Scan", "Image", "Vacuum", "Specimen", "Detectors", "PrivateFei", "Stage"})


def read_fei(tags: Mapping[str, Any], stored_rows: int, time_zone: tzinfo | None) -> Record:
    """How it was taken (all values are SI already), and the rows of the data bar."""
    record = Record()

    def section(name: object) -> Mapping[str, Any]:
        found = tags.get(str(name))
        return found if isinstance(found, dict) else {}

    def number(field: str, place: str, key: str) -> None:
        record.take(field, to_number(section(place).get(key)), f"[{place}] {key}")

    def text(field: str, place: str, key: str) -> None:
        record.take(field, text_of(section(place).get(key)), f"[{place}] {key}")

    beam = str(section("Beam").get("Beam") or "EBeam")
    scan = str(section("Beam").get("Scan") or "EScan")
    scan = scan if section(scan) else "Scan"
    user, private = section("User"), section("PrivateFei")
    record.take("acquired_at", to_utc(str(private.get("TimeOfCreation", "")), CREATED, time_zone), "[PrivateFei] TimeOfCreation")
    record.take("acquired_at", to_utc(f"{user.get('Date', '')} {user.get('Time', '')}", SAVED, time_zone), "[User] Date, Time")
    text("instrument", "System", "SystemType")
    text("instrument", "System", "Type")
    text("detector", "Detectors", "Name")
    text("sample_id", "Specimen", "SampleId")
    text("sample_id", "User", "SampleId")
    voltage = to_number(section(beam).get("HV"))
    record.take("acceleration_voltage_v", abs(voltage) if voltage is not None else None, f"[{beam}] HV")
    number("beam_current_a", beam, "BeamCurrent")
    width_m, display_m = to_number(section(beam).get("HFW")), to_number(section("Image").get("MagCanvasRealWidth"))
    magnification = round(display_m / width_m, 3) if width_m and display_m else None
    record.take("magnification", magnification, f"[Image] MagCanvasRealWidth / [{beam}] HFW")
    number("pixel_size_m", scan, "PixelWidth")
    record.take("dwell_s", to_number(section(scan).get("Dwell")) or None, f"[{scan}] Dwell")
    number("dwell_s", "Scan", "Dwelltime")
    record.take("working_distance_m", to_number(section(beam).get("WD")) or None, f"[{beam}] WD")
    number("working_distance_m", "Stage", "WorkingDistance")
    number("stage_x_m", "Stage", "StageX")
    number("stage_y_m", "Stage", "StageY")
    for name, values in tags.items():
        if isinstance(values, dict) and (name in EXTRA_SECTIONS or name in {beam, scan}):
            for key, value in values.items():
                record.also(f"{name}.{key}", value)
    record.bar_rows = _bar_rows(private, section("Image"), stored_rows)
    return record


def _bar_rows(private: Mapping[str, Any], image: Mapping[str, Any], stored_rows: int) -> int:
    said, rows = to_number(private.get("DatabarHeight")), to_number(image.get("ResolutionY"))
    bar = int(said) if said is not None else (stored_rows - int(rows) if rows else 0)
    return bar if 0 < bar < stored_rows * LARGEST_BAR_SHARE else 0
