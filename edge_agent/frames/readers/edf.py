"""EDF, the ESRF's data format: any number of images, each a header in braces and its bytes.

Keys as in "The ESRF data format" and, of how it was taken, as SAXS beamlines write them (Boesecke 2007, J. Appl. Cryst. 40, s423-s427): SI
units. A header may say that its pixels lie in another file; that is refused, so that no file opens another.
"""

from __future__ import annotations

import io
import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
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

FIRST_KEYS = re.compile(rb"(?i)\b(EDF_DataBlockID|EDF_DataFormatVersion|EDF_HeaderSize|HeaderID|ByteOrder|DataType|Dim_1)\s{0,8}=")
END = re.compile(rb"\}\r?\n")
PIECE_BYTES = 4096
LONGEST_HEADER = 1 << 20
BLOCKS_AT_A_LOOK = 1024
TYPES = {
    "signedbyte": "i1",
    "signed8": "i1",
    "unsignedbyte": "u1",
    "unsigned8": "u1",
    "signedshort": "i2",
    "signed16": "i2",
    "unsignedshort": "u2",
    "unsigned16": "u2",
    "unsignedshortinteger": "u2",
    "signedinteger": "i4",
    "signedlong": "i4",
    "signed32": "i4",
    "unsignedinteger": "u4",
    "unsignedlong": "u4",
    "unsigned32": "u4",
    "signed64": "i8",
    "unsigned64": "u8",
    "float": "f4",
    "floatvalue": "f4",
    "float32": "f4",
    "floatieee32": "f4",
    "double": "f8",
    "doublevalue": "f8",
    "floatieee64": "f8",
    "doubleieee64": "f8",
}
WHEN = ("%a %b %d %H:%M:%S %Y", "%d-%b-%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S")
LONGEST_WAVELENGTH_M = 1e-6
"""A longer one is meant in Angstrom."""


@dataclass(frozen=True, slots=True)
class Block:
    """One header's keys, and where its bytes lie: `needed` of them are its image, the others pad it."""

    keys: Mapping[str, str]
    begins: int
    length: int
    needed: int


class EdfReader:
    """EDF; a Reader."""

    name = "EDF"
    suffixes = (".edf",)
    rule = "behind each header lie as many bytes as it states"
    by_path = False
    library = ""

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - its keys are its signature
        """By the brace that begins it and one of the keys that come first."""
        return head.lstrip()[:1] == b"{" and FIRST_KEYS.search(head) is not None

    def lacks(self, file: BinaryIO, size: int) -> bool:
        """Whether a header has no end, or its bytes lie beyond the end."""
        for number, block in enumerate(_blocks(file, size)):
            if block.begins + block.needed > size:
                return True
            if number >= BLOCKS_AT_A_LOOK:
                raise TooMuchError
        return False

    def read(self, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Page]:
        """Each block's image, or images where there is a third dimension."""
        name = source.name
        for block in _blocks(io.BytesIO(source.content), len(source.content)):
            keys = block.keys
            if "edf_dataformatversion" in keys and "dim_1" not in keys:
                continue  # the file's general block
            if "edf_binaryfilename" in keys:
                refuse(name, "unsupported", "says that its pixels lie in another file", "save it with its pixels inside")
            if not keys.get("compression", "none").lower().startswith("no"):
                refuse(name, "unsupported", f"is compressed by {keys['compression'][:60]}", "save it uncompressed")
            kind = _kind(keys)
            if kind is None:
                refuse(name, "unsupported", f"holds values of type {keys.get('datatype', 'unstated')[:60]}")
            shape = _shape(keys)
            images = stored(source, block.begins, shape, kind, limits)
            record = _record(keys, time_zone)
            for values in images.reshape(-1, *shape[-2:]):
                counts, tally = counted(values)
                yield record.page(counts, more=tally)


EDF = EdfReader()


def _blocks(file: BinaryIO, size: int) -> Iterator[Block]:
    place = 0
    while place < size:
        file.seek(place)
        head = bytearray(file.read(PIECE_BYTES))
        if place and not head.lstrip(b"\0 \r\n\t").startswith(b"{"):
            return  # padding, or what a program put behind the last image
        end = END.search(head)
        while end is None:
            piece = file.read(PIECE_BYTES)
            if not piece:
                raise struct.error("a header without its end")
            if len(head) > LONGEST_HEADER:
                raise TooMuchError
            head += piece
            end = END.search(head, len(head) - len(piece) - 2)
        keys = parse_braced(head[: end.start()].decode("latin-1"))
        needed = _needed(keys)
        length = whole(keys.get("edf_binarysize", "")) or whole(keys.get("size", "")) or needed
        if "edf_binaryfilename" in keys:
            needed = length = 0
        block = Block(keys, place + end.end(), length, needed or length)
        yield block
        place = block.begins + block.length


def _needed(keys: Mapping[str, str]) -> int:
    kind = _kind(keys)
    if kind is None or "dim_1" not in keys:
        return 0
    depth, height, width = _shape(keys)
    return depth * height * width * kind.itemsize


def _shape(keys: Mapping[str, str]) -> tuple[int, int, int]:
    depth, height, width = (whole(keys.get(f"dim_{number}", unstated)) for number, unstated in ((3, "1"), (2, "1"), (1, "")))
    return depth, height, width


def _kind(keys: Mapping[str, str]) -> np.dtype[np.generic] | None:
    kind = TYPES.get(keys.get("datatype", "").lower())
    return np.dtype((">" if "high" in keys.get("byteorder", "").lower() else "<") + kind) if kind else None


def _record(keys: Mapping[str, str], time_zone: tzinfo | None) -> Record:
    record = Record()

    def number(key: str) -> float | None:
        return to_number(keys.get(key, "").partition(" ")[0])

    for key in ("time", "date", "acq_time"):
        record.take("acquired_at", to_moment(keys.get(key, ""), WHEN, time_zone), key)
    record.take("acquired_at", _since_1970(number("time_of_day")), "time_of_day")
    for key in ("detector", "detectorname", "instrument"):
        record.take("detector", text_of(keys.get(key)), key)
    record.take("sample_id", text_of(keys.get("samplename")), "samplename")
    record.take("pixel_size_m", scaled(number("psize_1"), 1), "psize_1")
    for key in ("exposuretime", "exposure_time", "count_time", "acq_expo_time"):
        record.take("exposure_s", scaled(number(key), 1), key)
    wavelength = scaled(number("wavelength"), 1)
    in_angstrom = wavelength is not None and wavelength > LONGEST_WAVELENGTH_M
    record.take("wavelength_m", scaled(wavelength, ANGSTROM_M) if in_angstrom else wavelength, "wavelength")
    record.take("detector_distance_m", scaled(number("sampledistance"), 1), "sampledistance")
    column, row = number("center_1"), number("center_2")
    record.take("beam_centre_px", None if column is None or row is None else f"{column:.9g} {row:.9g}", "center_1, center_2")
    for key, value in keys.items():
        record.also(key, value)
    return record


def _since_1970(seconds: float | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (OverflowError, OSError, ValueError):
        return None
