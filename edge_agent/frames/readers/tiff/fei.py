"""FEI/Thermo Fisher: tags 34680 (FEI_SFEG) and 34682 (FEI_HELIOS), an INI text that tifffile gives as a dict of dicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.core.frame import Acquisition
from edge_agent.frames.readers.units import to_number, to_utc

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

CREATED = ("%d.%m.%Y %H:%M:%S",)
SAVED = ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%S")
LARGEST_BAR_SHARE = 0.5
EXTRA_SECTIONS = frozenset({"User", "System", "Beam", "Scan", "Image", "Vacuum", "Specimen", "Detectors", "PrivateFei", "Stage"})


def read_fei(tags: Mapping[str, Any], stored_rows: int, time_zone: tzinfo | None) -> tuple[Acquisition, int]:
    """Acquisition (all values are SI already), rows of the data bar."""

    def section(name: object) -> Mapping[str, Any]:
        found = tags.get(str(name))
        return found if isinstance(found, dict) else {}

    beam = section(section("Beam").get("Beam") or "EBeam")
    scan = section(section("Beam").get("Scan") or "EScan") or section("Scan")
    stage, user, system, private = section("Stage"), section("User"), section("System"), section("PrivateFei")
    voltage = to_number(beam.get("HV"))
    width_m, display_m = to_number(beam.get("HFW")), to_number(section("Image").get("MagCanvasRealWidth"))
    acquisition = Acquisition(
        acquired_at=to_utc(str(private.get("TimeOfCreation", "")), CREATED, time_zone)
        or to_utc(f"{user.get('Date', '')} {user.get('Time', '')}", SAVED, time_zone),
        instrument=_text(system.get("SystemType")) or _text(system.get("Type")),
        detector=_text(section("Detectors").get("Name")),
        sample_id=_text(section("Specimen").get("SampleId")) or _text(user.get("SampleId")),
        acceleration_voltage_v=abs(voltage) if voltage is not None else None,
        beam_current_a=to_number(beam.get("BeamCurrent")),
        magnification=round(display_m / width_m, 3) if width_m and display_m else None,
        pixel_size_m=to_number(scan.get("PixelWidth")),
        dwell_s=to_number(scan.get("Dwell")) or to_number(section("Scan").get("Dwelltime")),
        working_distance_m=to_number(beam.get("WD")) or to_number(stage.get("WorkingDistance")),
        stage_x_m=to_number(stage.get("StageX")),
        stage_y_m=to_number(stage.get("StageY")),
        extra={
            f"{name}.{key}": str(value)
            for name, values in tags.items()
            if isinstance(values, dict) and (name in EXTRA_SECTIONS or values is beam or values is scan)
            for key, value in values.items()
            if value != ""
        },
    )
    return acquisition, _bar_rows(private, section("Image"), stored_rows)


def _bar_rows(private: Mapping[str, Any], image: Mapping[str, Any], stored_rows: int) -> int:
    said, rows = to_number(private.get("DatabarHeight")), to_number(image.get("ResolutionY"))
    bar = int(said) if said is not None else (stored_rows - int(rows) if rows else 0)
    return bar if 0 < bar < stored_rows * LARGEST_BAR_SHARE else 0


def _text(value: object) -> str | None:
    text = str(value).strip().replace('"', "") if value is not None else ""
    return text or None
