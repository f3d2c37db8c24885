"""Velox (Thermo Fisher) EMD: beside every image stands a JSON text for each of its frames, all values SI."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from edge_agent.frames.readers.record import Record, text_of
from edge_agent.frames.readers.units import to_number

if TYPE_CHECKING:
    from edge_agent.frames.readers.hdf5.images import Images
    from edge_agent.frames.readers.hdf5.tree import Tree

LONGEST_TEXT = 1 << 20
NUMBERS = {
    "acceleration_voltage_v": ("Optics", "AccelerationVoltage"),
    "beam_current_a": ("Optics", "ScreenCurrent"),
    "dwell_s": ("Scan", "DwellTime"),
    "working_distance_m": ("Optics", "WorkingDistance"),
    "stage_x_m": ("Stage", "Position", "x"),
    "stage_y_m": ("Stage", "Position", "y"),
    "magnification": ("CustomProperties", "StemMagnification", "value"),
}
TEXTS = {
    "instrument": ("Instrument", "InstrumentClass"),
    "detector": ("BinaryResult", "Detector"),
    "sample_id": ("Sample", "SampleId"),
}
FURTHER = ("Core", "Instrument", "Acquisition", "Optics", "EnergyFilter", "Stage", "Scan", "BinaryResult")
"""Sections whose remaining keys are kept; what the detectors and custom properties say is long and mostly of other images."""


def read_velox(tree: Tree, images: Images, place: int) -> Record:
    """How the image at `place` was taken."""
    record = Record()
    metadata = tree.at(images.path.rpartition("/")[0] + "/Metadata")
    if not tree.is_dataset(metadata) or tree.note_elsewhere(metadata):
        return record
    if len(metadata.shape) != 2 or metadata.dtype != "u1" or not 0 < metadata.shape[0] <= LONGEST_TEXT or not metadata.shape[1]:
        return record
    content = metadata[:, min(place, metadata.shape[1] - 1)].tobytes().partition(b"\0")[0]
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        return record
    for field, path in NUMBERS.items():
        record.take(field, _positive(field, to_number(_at(told, path))), ".".join(path))
    for field, path in TEXTS.items():
        value = _at(told, path)
        record.take(field, text_of(value) if isinstance(value, str) else None, ".".join(path))
    if _at(told, ("BinaryResult", "PixelUnitX")) == "m":
        record.take("pixel_size_m", to_number(_at(told, ("BinaryResult", "PixelSize", "width"))), "BinaryResult.PixelSize.width")
    seconds = to_number(_at(told, ("Acquisition", "AcquisitionStartDatetime", "DateTime")))
    if seconds is not None and 0 < seconds < 1 << 33:
        record.take("acquired_at", datetime.fromtimestamp(seconds, UTC), "Acquisition.AcquisitionStartDatetime.DateTime")
    for section in FURTHER:
        _further(record, section, _at(told, (section,)))
    return record


def _positive(field: str, value: float | None) -> float | None:
    """Only the stage may stand at 0 or below; elsewhere that means that nothing was measured."""
    return value if value is None or value > 0 or field.startswith("stage") else None


def _at(told: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        told = told.get(step) if isinstance(told, dict) else None
    return told


def _further(record: Record, name: str, value: Any, depth: int = 0) -> None:
    if isinstance(value, dict) and depth < 4:
        for key, inner in value.items():
            _further(record, f"{name}.{key}", inner, depth + 1)
    elif isinstance(value, (str, int, float)) and name not in record.sources.values():
        record.also(name, value)
