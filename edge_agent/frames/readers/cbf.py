"""Crystallographic binary files (imgCIF/CBF), as Pilatus and Eiger detectors write them; byte offsets are undone by fabio.

Format: Bernstein & Hammersley, International Tables for Crystallography G (2005), 2.3; the header that Dectris writes ("miniCBF"): Pilatus
CBF Header Specification 1.4.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from edge_agent.frames.reader import TooMuchError, needs
from edge_agent.frames.readers.counts import counted
from edge_agent.frames.readers.dectris import read_remarks
from edge_agent.frames.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from numpy.typing import NDArray

    from edge_agent.frames.limits import DecodeLimits
    from edge_agent.frames.page import Page
    from edge_agent.frames.reader import Source
    from edge_agent.frames.readers.record import Record

SIGNATURES = (b"###CBF:", b"##CBF:")
SECTION = re.compile(rb"--CIF-BINARY-FORMAT-SECTION--(?!--)")
START = b"\x0c\x1a\x04\xd5"
USUAL_HEADER, LONGEST_HEADER = 1 << 14, 1 << 20
SECTIONS_AT_A_LOOK = 64
TYPES = {
    "signed 8-bit integer": "i1",
    "signed 16-bit integer": "i2",
    "signed 32-bit integer": "i4",
    "signed 64-bit integer": "i8",
    "unsigned 8-bit integer": "u1",
    "unsigned 16-bit integer": "u2",
    "unsigned 32-bit integer": "u4",
    "unsigned 64-bit integer": "u8",
    "signed 32-bit real IEEE": "f4",
    "signed 64-bit real IEEE": "f8",
}
CONVERSION = re.compile(r'conversions="?([\w-]+)', re.IGNORECASE)
LENGTH = re.compile(r"^X-Binary-Size: {0,8}(\d{1,15})\r?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Section:
    """One binary section: the text before it, since the section before, and where its bytes lie."""

    text: str
    begins: int
    length: int


class CbfReader:
    """CBF; a Reader."""

    name = "CBF"
    suffixes = (".cbf",)
    rule = "every binary section is as long as its X-Binary-Size says"
    by_path = False
    library = "fabio"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - a signature needs no name
        """By the first bytes, or by the first section's mark where a program left the signature out."""
        return head.startswith(SIGNATURES) or SECTION.search(head) is not None

    def lacks(self, file: BinaryIO, size: int) -> bool:
        """Whether a section ends beyond the end."""
        for number, section in enumerate(_sections(file, size)):
            if section.begins + section.length > size:
                return True
            if number >= SECTIONS_AT_A_LOOK:
                raise TooMuchError
        return False

    def read(self, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Page]:
        """Each section's image."""
        record: Record | None = None
        for section in _sections(io.BytesIO(source.content), len(source.content)):
            if record is None:
                record = _record(section.text, time_zone)
            for values in _images(source, section, limits):
                counts, tally = counted(values, record.saturated, negative_counts=False)
                yield record.page(counts, more=tally)


CBF = CbfReader()


def _sections(file: BinaryIO, size: int) -> Iterator[Section]:
    place = 0
    while place < size:
        for length in (USUAL_HEADER, LONGEST_HEADER):
            file.seek(place)
            head = file.read(length)
            mark = SECTION.search(head)
            start = head.find(START, mark.end()) if mark else -1
            if start >= 0 or len(head) < length:
                break
        if mark is None and place > 0:
            return
        if start < 0:
            if len(head) == LONGEST_HEADER:
                raise TooMuchError
            raise struct.error("a header without its end")
        text = head[:start].decode("latin-1")
        stated = LENGTH.search(text, mark.start() if mark else 0)
        section = Section(text, place + start + len(START), int(stated[1]) if stated else 0)
        yield section
        place = section.begins + section.length


def _images(source: Source, section: Section, limits: DecodeLimits) -> Iterator[NDArray[Any]]:
    name = source.name
    parted = (line.partition(":") for line in section.text.splitlines())
    fields = {key.lower(): value.strip('" ') for key, _, value in parted}
    width, height, depth = (
        _whole(fields.get(f"x-binary-size-{which}-dimension", unstated))
        for which, unstated in (("fastest", ""), ("second", ""), ("third", "1"))
    )
    kind = TYPES.get(fields.get("x-binary-element-type", "signed 32-bit integer"))
    count = width * height * depth
    if count < 1 or section.length < 1:
        refuse(name, "decoder_failed", "its header states no dimensions or no length")
    if width * height > limits.frame_pixels:
        refuse(name, "too_large", f"its header says {width} x {height} pixels, {limits.frame_pixels} in all are allowed")
    if kind is None:
        refuse(name, "unsupported", f"holds values of type {fields['x-binary-element-type'][:60]}")
    dtype = np.dtype((">" if fields.get("x-binary-element-byte-order", "").upper() == "BIG_ENDIAN" else "<") + kind)
    if count * dtype.itemsize > limits.decoded_bytes:
        refuse(name, "too_large", f"its header asks for {count * dtype.itemsize} bytes, {limits.decoded_bytes} are allowed")
    packed = memoryview(source.content)[section.begins : section.begins + section.length]
    if len(packed) < section.length:
        refuse(name, "truncated", f"holds {len(packed)} of the {section.length} bytes of its image")
    stated = fields.get("content-md5", "")
    if len(stated) == 24 and base64.b64encode(hashlib.md5(packed, usedforsecurity=False).digest()).decode() != stated:
        refuse(name, "decoder_failed", "its pixels do not have the checksum that its header states", "copy or save the file again")
    values = _unpacked(name, packed, count, dtype, CONVERSION.search(section.text))
    if len(values) != count:
        refuse(name, "decoder_failed", f"holds {len(values)} of {count} pixels")
    yield from values.reshape(depth, height, width)


def _unpacked(name: str, packed: memoryview, count: int, dtype: np.dtype[Any], conversion: re.Match[str] | None) -> NDArray[Any]:
    scheme = conversion[1].upper() if conversion else "X-CBF_NONE"
    if scheme == "X-CBF_NONE":
        return np.frombuffer(packed, dtype, min(count, len(packed) // dtype.itemsize))
    if scheme != "X-CBF_BYTE_OFFSET":
        refuse(name, "unsupported", f"is compressed by {scheme[:40].lower()}", "have it written with byte offsets (x-CBF_BYTE_OFFSET)")
    try:
        from fabio.compression import decByteOffset  # noqa: PLC0415 - a decoder loads only what its files need
    except ImportError:
        needs(name, "CBF", "fabio")
    if count > len(packed):  # each pixel takes a byte or more
        refuse(name, "decoder_failed", f"its header says {count} pixels over {len(packed)} bytes")
    values = np.asarray(decByteOffset(bytes(packed), size=count, dtype="int32" if dtype.kind == "i" and dtype.itemsize == 4 else "int64"))
    return values if values.dtype.itemsize <= dtype.itemsize else values.astype(dtype.newbyteorder("="))


def _record(header: str, time_zone: tzinfo | None) -> Record:
    """From the remarks of a header as Dectris writes it; of any other, the plain `_key value` pairs alone."""
    record = read_remarks(header, time_zone)
    for line in header.splitlines():
        if line.startswith("_"):
            key, _, value = line.partition(" ")
            record.also(key, value.strip(" \"'"))
    return record


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else 0
