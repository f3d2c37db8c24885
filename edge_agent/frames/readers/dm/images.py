"""The images among DigitalMicrograph's tags, and what stands beside each of how it was taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.frames.page import Axis
from edge_agent.frames.readers.dm.tags import Directory, DmError, Located
from edge_agent.frames.readers.record import Record, text_of
from edge_agent.frames.readers.units import base_of, to_base_unit, to_number

if TYPE_CHECKING:
    from collections.abc import Iterator

GREY = {1: "i2", 2: "f4", 6: "u1", 7: "i4", 9: "i1", 10: "u2", 11: "u4", 12: "f8", 14: "u1", 39: "i8", 40: "u8"}
"""DataType: of grey values."""
COMPLEX = frozenset({3, 5, 13})
BLUE_GREEN_RED = 23
"""Four bytes a pixel, the last of them unused."""
FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
FILETIMES_A_SECOND = 10_000_000
LONGEST_PATH = 200


@dataclass(frozen=True, slots=True)
class DmImage:
    """One image of the file, or a stack of them.

    Attributes:
        data: where its values are.
        kind: DataType.
        shape: as arrays have it, the fastest dimension last.
        calibrations: scale, origin and unit along each dimension, in the same order.
        tags: its ImageTags.
    """

    data: Located
    kind: int
    shape: tuple[int, ...]
    calibrations: tuple[tuple[float, float, str], ...]
    tags: Directory

    @property
    def planes(self) -> int:
        """How many frames it is."""
        return prod(self.shape[:-2])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of a pixel as stored."""
        order = ">" if self.data.dtype.byteorder == ">" else "<"
        return np.dtype((np.uint8, 4)) if self.kind == BLUE_GREEN_RED else np.dtype(order + GREY[self.kind])

    @property
    def is_spectrum_image(self) -> bool:
        """Whether its planes are channels of spectra."""
        said = str(_at(self.tags, "Meta Data", "Format") or "")
        return len(self.shape) > 2 and "spectrum" in said.lower()


def images_of(root: Directory) -> list[DmImage]:
    """All but the thumbnails; raises DmError for what is no image."""
    thumbnails = {_at(one, "ImageIndex") for one in _children(root.get("Thumbnails"))}
    return [_image(one) for place, one in enumerate(_children(root.get("ImageList"))) if place not in thumbnails]


def read_tags(image: DmImage) -> Record:
    """How it was taken; DigitalMicrograph gives stage positions in micrometres."""
    record, tags = Record(), image.tags
    ticks = to_number(_at(tags, "DataBar", "Acquisition Time (OS)"))
    record.take("acquired_at", _filetime(ticks), "DataBar:Acquisition Time (OS)")

    def number(field: str, unit: str, *path: str) -> None:
        said = to_number(_at(tags, *path))
        record.take(field, to_base_unit(said, unit) if said else None, ":".join(path))

    def text(field: str, *path: str) -> None:
        record.take(field, text_of(_at(tags, *path)), ":".join(path))

    text("instrument", "Session Info", "Microscope")
    text("instrument", "Microscope Info", "Microscope")
    text("instrument", "Microscope Info", "Name")
    text("detector", "Acquisition", "Device", "Name")
    text("detector", "DataBar", "Device Name")
    text("sample_id", "Session Info", "Specimen")
    number("acceleration_voltage_v", "V", "Microscope Info", "Voltage")
    number("beam_current_a", "nA", "Microscope Info", "Probe Current (nA)")
    number("magnification", "X", "Microscope Info", "Actual Magnification")
    number("magnification", "X", "Microscope Info", "Indicated Magnification")
    number("dwell_s", "us", "DigiScan", "Sample Time")
    number("exposure_s", "s", "DataBar", "Exposure Time (s)")
    number("stage_x_m", "um", "Microscope Info", "Stage Position", "Stage X")
    number("stage_y_m", "um", "Microscope Info", "Stage Position", "Stage Y")
    if len(image.shape) > 1:
        scale, _, unit = image.calibrations[-1]
        is_length = scale > 0 and base_of(unit) == "m"
        record.take("pixel_size_m", to_base_unit(scale, unit) if is_length else None, "Calibrations:Dimension 0")
    for key, value in _flat(tags, ""):
        record.also(key, value)
    return record


def axis_of(image: DmImage) -> Axis:
    """What a scan's points lie along."""
    scale, origin, unit = image.calibrations[-1]
    return Axis("energy" if unit.endswith("eV") else "channel", -origin * scale, (image.shape[-1] - 1 - origin) * scale, unit)


def _image(one: Directory) -> DmImage:
    data, kind = _at(one, "ImageData", "Data"), _at(one, "ImageData", "DataType")
    sides = _children(_at(one, "ImageData", "Dimensions"))
    if not isinstance(data, Located) or not isinstance(kind, int) or not sides:
        raise DmError("an image without data")
    if not all(isinstance(side, int) and side > 0 for side in sides):
        raise DmError("an image without extent")
    calibrations = _children(_at(one, "ImageData", "Calibrations", "Dimension"))
    shape = tuple(reversed(sides))
    if len(shape) > 2 and prod(shape[:-2]) == 1:
        shape = shape[-2:]
    said = [_calibration(calibrations[place] if place < len(calibrations) else None) for place in range(len(shape))]
    tags = one.get("ImageTags")
    return DmImage(data, kind, shape, tuple(reversed(said)), tags if isinstance(tags, dict) else {})


def _calibration(said: object) -> tuple[float, float, str]:
    scale, origin = to_number(_at(said, "Scale")), to_number(_at(said, "Origin"))
    return (1.0 if scale is None else scale), origin or 0.0, str(_at(said, "Units") or "")


def _at(tags: object, *path: str) -> Any:
    for name in path:
        tags = tags.get(name) if isinstance(tags, dict) else None
    return tags


def _children(tags: object) -> list[Any]:
    return list(tags.values()) if isinstance(tags, dict) else []


def _flat(tags: Directory, path: str) -> Iterator[tuple[str, str]]:
    for name, value in tags.items():
        here = f"{path}:{name}" if path else name
        if isinstance(value, dict):
            yield from _flat(value, here[:LONGEST_PATH])
        elif isinstance(value, (str, int, float, tuple)):
            yield here, str(value)


def _filetime(ticks: float | None) -> datetime | None:
    """From Windows' count of 100 ns since 1601, in UTC, to the second."""
    if not ticks or ticks < 0:
        return None
    try:
        return FILETIME_EPOCH + timedelta(seconds=round(ticks / FILETIMES_A_SECOND))
    except OverflowError:
        return None
