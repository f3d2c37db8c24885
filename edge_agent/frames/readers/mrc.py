"""MRC2014 and CCP4 maps: image stacks and volumes of electron microscopes, with FEI's extended header.

Cheng et al. (2015), J. Struct. Biol. 192, 146-150. Rows are handed on in the order in which they are stored.
"""

from __future__ import annotations

import contextlib
import io
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from edge_agent.frames.reader import Stack, all_pages
from edge_agent.frames.readers.record import Record, text_of
from edge_agent.frames.readers.units import to_number
from edge_agent.frames.refusal import refuse
from edge_agent.frames.share import open_shared

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from edge_agent.frames.limits import DecodeLimits
    from edge_agent.frames.page import Page
    from edge_agent.frames.reader import Source

HEADER_BYTES = 1024
STAMPS = {b"\x44\x44": "<", b"\x44\x41": "<", b"\x11\x11": ">"}
"""The machine stamp's first bytes: byte order."""
MODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
OTHERS = {3: "complex 16-bit integers", 4: "complex numbers", 16: "colours", 101: "4-bit values"}
BITS = {**{mode: np.dtype(kind).itemsize * 8 for mode, kind in MODES.items()}, 3: 32, 4: 64, 16: 24, 101: 4}
"""Bits a pixel takes; of mode 101 a row is filled up to whole bytes."""
IMOD_BYTE, IMOD_STAMP = 152, 1146047817
LARGEST_SIDE = 1 << 24
OLD_SUFFIXES = (".mrc", ".mrcs", ".st", ".rec")
"""Files of the original format have no stamp: their name and a header that makes sense must do."""
ANGSTROM = 1e-10
VOLUMES = range(1, 631)
"""Space groups of volumes: 1 to 230 crystals, 401 to 630 stacks of volumes; 0 is a stack of images."""
FEI_TYPES = (b"FEI1", b"FEI2")
OLE_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - its zone is the stream's, put in below
FEI_BYTES = 768
FEI_NUMBERS = {
    "acceleration_voltage_v": (84, 5, "HT"),
    "magnification": (289, 31, "Magnification"),
    "pixel_size_m": (156, 14, "Pixel size X"),
    "stage_x_m": (116, 9, "X-Stage"),
    "stage_y_m": (124, 10, "Y-Stage"),
}
"""Byte within a section's part of the extended header, bit of the first mask that says whether it is meant, name."""
FEI_DWELL_BYTE, FEI_MODE_BYTE, FEI_STEM = 571, 244, 2


@dataclass(frozen=True, slots=True)
class Header:
    """What the first 1024 bytes say: columns, rows, sections; see MRC2014 for the rest."""

    order: str
    columns: int
    rows: int
    sections: int
    mode: int
    extended_bytes: int

    @property
    def section_bytes(self) -> int:
        """Bytes of one section."""
        return self.rows * ((self.columns * BITS[self.mode] + 7) // 8)

    @property
    def begin(self) -> int:
        """Where the first section begins."""
        return HEADER_BYTES + self.extended_bytes


def parse_header(head: bytes) -> Header | None:
    """The header, or None where the bytes make no sense as one; in either byte order, whatever the machine stamp says of it."""
    if len(head) < 92:
        return None
    said = STAMPS.get(head[212:214])
    for order in (said,) if said else ("<", ">"):
        columns, rows, sections, mode = struct.unpack_from(f"{order}4i", head)
        (extended,) = struct.unpack_from(f"{order}i", head, 92) if len(head) >= 96 else (0,)
        if mode in BITS and extended >= 0 and all(0 < side <= LARGEST_SIDE for side in (columns, rows, sections)):
            return Header(order, columns, rows, sections, mode, extended)
    return None


class MrcReader:
    """MRC; a StackReader."""

    name = "MRC"
    suffixes = (".mrc", ".mrcs", ".map", ".st", ".rec")
    rule = "it is as long as its header's dimensions, pixel type and extended header make it"
    by_path = True
    library = ""

    def recognises(self, head: bytes, name: str) -> bool:
        """By `MAP ` at byte 208; a file without it by its name, if its header makes sense."""
        stamped = head[208:211] == b"MAP"
        return (stamped or name.lower().endswith(OLD_SUFFIXES)) and parse_header(head) is not None

    def lacks(self, file: BinaryIO, size: int) -> bool:
        """Whether sections are missing."""
        header = parse_header(file.read(HEADER_BYTES))
        return header is None or size < header.begin + header.sections * header.section_bytes

    @contextlib.contextmanager
    def stack(self, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Stack]:
        """Its sections, read one by one from the file."""
        with io.BufferedReader(open_shared(source.path)) as file:  # a share may give less than is asked for
            head = file.read(HEADER_BYTES) or b""
            header = parse_header(head)
            if header is None:
                refuse(source.name, "truncated", "ends within its header")
            if header.mode in OTHERS:
                refuse(source.name, "unsupported", f"holds {OTHERS[header.mode]}, and the models look at grey images")
            if header.rows * header.columns > limits.frame_pixels:
                size = f"{header.columns} x {header.rows}"
                refuse(source.name, "too_large", f"its header says {size} pixels, {limits.frame_pixels} in all are allowed")
            file.seek(0, 2)
            if file.tell() < header.begin + header.sections * header.section_bytes:
                refuse(source.name, "truncated", "ends before its last section")

            def page(place: int) -> Page:
                record = _record(file, head, header, place, time_zone)
                file.seek(header.begin + place * header.section_bytes)
                values = np.frombuffer(file.read(header.section_bytes), _dtype(head, header))
                return record.page(values.reshape(header.rows, header.columns))

            yield Stack(header.sections, page)

    read = all_pages


MRC = MrcReader()


def _dtype(head: bytes, header: Header) -> np.dtype[np.generic]:
    """Bytes are signed by MRC2014; IMOD says by a flag of its own whether its bytes are."""
    stamp, flags = struct.unpack_from(f"{header.order}2i", head, IMOD_BYTE)
    kind = "u1" if header.mode == 0 and stamp == IMOD_STAMP and not flags & 1 else MODES[header.mode]
    return np.dtype(header.order + kind)


def _record(file: BinaryIO, head: bytes, header: Header, place: int, time_zone: tzinfo | None) -> Record:
    record = Record()
    order = header.order
    if head[104:108] in FEI_TYPES:
        _read_fei(record, _fei_part(file, header, place), header, head[104:108].decode(), time_zone)
    (intervals,) = struct.unpack_from(f"{order}i", head, 28)
    (length_a,) = struct.unpack_from(f"{order}f", head, 40)
    size = to_number(length_a)
    if size and size > 0 and intervals > 0:
        record.take("pixel_size_m", float(f"{size * ANGSTROM / intervals:.7g}"), "CELLA x / MX")  # a 32-bit float holds seven digits
    (group,) = struct.unpack_from(f"{order}i", head, 88)
    record.also("content", "a volume, each section of it a frame" if group in VOLUMES else "a stack of images")
    record.also("mode", header.mode)
    (labels,) = struct.unpack_from(f"{order}i", head, 220)
    for label in range(min(max(labels, 0), 10)):
        record.also(f"label {label + 1}", head[224 + 80 * label : 304 + 80 * label].split(b"\0")[0].decode("latin-1"))
    return record


def _fei_part(file: BinaryIO, header: Header, place: int) -> bytes:
    """A section's part of the extended header; each begins with its own length."""
    file.seek(HEADER_BYTES)
    (length,) = struct.unpack(f"{header.order}i", file.read(4).ljust(4, b"\0"))
    if length < FEI_BYTES or (place + 1) * length > header.extended_bytes:
        return b""
    file.seek(HEADER_BYTES + place * length)
    return file.read(length)


def _read_fei(record: Record, part: bytes, header: Header, kind: str, time_zone: tzinfo | None) -> None:
    """Lengths in m, voltage in V, times in s."""
    if len(part) < FEI_BYTES:
        return
    order = header.order
    (mask,) = struct.unpack_from("<I", part, 8)

    def number(byte: int) -> float:
        (value,) = struct.unpack_from(f"{order}d", part, byte)
        return float(value)

    def text(byte: int) -> str | None:
        return text_of(part[byte : byte + 16].split(b"\0")[0].decode("latin-1"))

    for field, (byte, bit, key) in FEI_NUMBERS.items():
        if mask >> bit & 1:
            record.take(field, to_number(f"{number(byte):.12g}"), f"{kind} {key}")
    if mask & 1:
        record.take("acquired_at", _ole_time(number(12), time_zone), f"{kind} Timestamp")
    record.take("instrument", text(20), f"{kind} Microscope type")
    (mode,) = struct.unpack_from(f"{order}i", part, FEI_MODE_BYTE)
    place, key = (519, "STEM Detector name") if mode == FEI_STEM else (435, "Camera name")
    record.take("detector", text(place), f"{kind} {key}")
    dwell = to_number(number(FEI_DWELL_BYTE))
    record.take("dwell_s", dwell if dwell and dwell > 0 else None, f"{kind} Dwell time")
    for key, place in (("D-Number", 36), ("Application", 52), ("Application version", 68)):
        record.also(key, text(place) or "")


def _ole_time(days: float, time_zone: tzinfo | None) -> datetime | None:
    """From days since 30 December 1899, local time, to the second."""
    try:
        local = OLE_EPOCH + timedelta(seconds=round(days * 86400))
        return local.replace(tzinfo=time_zone or UTC).astimezone(UTC)
    except (OverflowError, ValueError):
        return None
