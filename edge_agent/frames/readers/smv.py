"""SMV: a header of 512 bytes or more in braces, then the pixels (ADSC, Timepix and others; Rigaku's d*TREK is a dialect).

Keys as in the descriptions of ADSC's "Format of image files" and of d*TREK's image header. There are no compressed ones here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from edge_agent.frames.reader import TooMuchError
from edge_agent.frames.readers.counts import counted
from edge_agent.frames.readers.record import Record, text_of
from edge_agent.frames.readers.stored import parse_braced, stored, whole
from edge_agent.frames.readers.units import ANGSTROM_M, scaled, to_moment, to_number
from edge_agent.frames.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import tzinfo

    from edge_agent.frames.limits import DecodeLimits
    from edge_agent.frames.page import Page
    from edge_agent.frames.reader import Source

SIGNATURE = re.compile(rb"\{\s{0,8}HEADER_BYTES\s{0,8}=\s{0,8}(\d{1,9})\s{0,8};")
LONGEST_HEADER = 1 << 20
LONGEST_SIGNATURE = 64
TYPES = {
    "unsigned char": "u1",
    "unsigned byte": "u1",
    "signed char": "i1",
    "unsigned short": "u2",
    "unsigned short int": "u2",
    "signed short": "i2",
    "short int": "i2",
    "unsigned long": "u4",
    "unsigned long int": "u4",
    "unsigned int": "u4",
    "signed long": "i4",
    "long int": "i4",
    "float": "f4",
    "float ieee": "f4",
}
WHEN = ("%a %b %d %H:%M:%S %Y", "%d-%b-%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S")
DISTORTION = "spatial_distortion_information"


class SmvReader:
    """SMV and d*TREK; a Reader."""

    name = "SMV"
    suffixes = (".img",)
    rule = "the pixels that its header states are there, behind as many bytes of header as that states"
    by_path = False
    library = ""

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - a signature needs no name
        """By the first key."""
        return SIGNATURE.match(head) is not None

    def lacks(self, file: BinaryIO, size: int) -> bool:
        """Whether the last pixel lies beyond the end."""
        found = SIGNATURE.match(file.read(LONGEST_SIGNATURE))
        begins = int(found[1]) if found else 0
        if begins > LONGEST_HEADER:
            raise TooMuchError
        if size < begins:
            return True
        file.seek(0)
        keys = parse_braced(file.read(begins).decode("latin-1"))
        kind = _kind(keys)
        return size < begins + whole(keys.get("size1", "")) * whole(keys.get("size2", "")) * (kind.itemsize if kind else 1)

    def read(self, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Page]:
        """Its one image."""
        found = SIGNATURE.match(source.content)
        begins = int(found[1]) if found else 0
        if len(source.content) < begins:
            refuse(source.name, "truncated", f"holds {len(source.content)} of {begins} bytes of its header")
        keys = parse_braced(source.content[: min(begins, LONGEST_HEADER)].decode("latin-1"))
        kind = _kind(keys)
        if kind is None:
            refuse(source.name, "unsupported", f"holds values of type {_type(keys)[:60]}")
        if keys.get("dim", "2") != "2":
            refuse(source.name, "unsupported", f"has {keys['dim'][:20]} dimensions")
        if keys.get("compression", "none").lower() not in {"", "none"}:
            refuse(source.name, "unsupported", f"is compressed by {keys['compression'][:60]}", "have it written uncompressed")
        shape = whole(keys.get("size2", "")), whole(keys.get("size1", ""))
        values = stored(source, begins, shape, kind, limits)
        record = _record(keys, shape[1], time_zone)
        counts, tally = counted(values, record.saturated)
        yield record.page(counts, more=tally)


SMV = SmvReader()


def _type(keys: Mapping[str, str]) -> str:
    return keys.get("type", keys.get("data_type", "unsigned_short"))


def _kind(keys: Mapping[str, str]) -> np.dtype[np.generic] | None:
    kind = TYPES.get(_type(keys).lower().replace("_", " "))
    return np.dtype((">" if "big" in keys.get("byte_order", "").lower() else "<") + kind) if kind else None


def _record(keys: Mapping[str, str], width: int, time_zone: tzinfo | None) -> Record:
    """Lengths in mm, the wavelength in Angstrom, time in seconds."""
    record = Record()

    def number(key: str, place: int = 0) -> float | None:
        parts = keys.get(key, "")[:1000].split()
        return to_number(parts[place]) if -len(parts) <= place < len(parts) else None

    record.saturated = scaled(number("ccd_image_saturation"), 1) or scaled(number("saturated_value"), 1)
    for key in ("date", "dtrek_date_time"):
        record.take("acquired_at", to_moment(keys.get(key, ""), WHEN, time_zone), key.upper())
    for key in ("beamline", "detector_identification"):
        record.take("instrument", text_of(keys.get(key)), key.upper())
    record.take("detector", text_of(keys.get("detector_sn")), "DETECTOR_SN")
    record.take("pixel_size_m", scaled(number("pixel_size"), 1e-3), "PIXEL_SIZE")
    record.take("exposure_s", scaled(number("time"), 1), "TIME")
    record.take("exposure_s", scaled(number("rotation", 3), 1), "ROTATION 4")
    record.take("wavelength_m", scaled(number("wavelength"), ANGSTROM_M), "WAVELENGTH")
    record.take("wavelength_m", scaled(number("source_wavelength", -1), ANGSTROM_M), "SOURCE_WAVELENGTH")
    record.take("detector_distance_m", scaled(number("distance"), 1e-3), "DISTANCE")
    record.take(
        "beam_centre_px", _beam_centre(number("beam_center_x"), number("beam_center_y"), number("pixel_size"), width), "BEAM_CENTER_X, _Y"
    )
    for key in keys:
        if key.endswith(DISTORTION):  # d*TREK: beam centre in pixels, then the pixel's sides in mm
            column, row = number(key), number(key, 1)
            record.take("beam_centre_px", None if column is None or row is None else f"{column:.9g} {row:.9g}", f"{key.upper()} 1, 2")
            record.take("pixel_size_m", scaled(number(key, 2), 1e-3), f"{key.upper()} 3")
    record.take("saturation_counts", record.saturated, "CCD_IMAGE_SATURATION or SATURATED_VALUE")
    for key, value in keys.items():
        record.also(key.upper(), value)
    return record


def _beam_centre(x: float | None, y: float | None, pixel_mm: float | None, width: int) -> str | None:
    """ADSC writes millimetres, others pixels: what would lie beyond the detector in millimetres is in pixels."""
    if x is None or y is None or not pixel_mm or pixel_mm <= 0:
        return None
    step = pixel_mm if max(x, y) <= width * pixel_mm else 1.0
    return f"{x / step:.9g} {y / step:.9g}"
