"""EDAX .up1 and .up2: patterns of 8 and 16 bits, one behind the other.

Header, little-endian: version, width, height, where the patterns begin; from version 3 on also whether there are extra patterns, columns
and rows of the scan, whether it is hexagonal, and its steps in micrometres. Public description: PyEBSDIndex (U.S. Naval Research
Laboratory).
"""

from __future__ import annotations

import struct
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from edge_agent.frames.reader import Stack, all_pages
from edge_agent.frames.readers.ebsd.patterns import MICRON_M, opened, pattern_at, take_place
from edge_agent.frames.readers.record import Record
from edge_agent.frames.readers.stored import check_shape
from edge_agent.frames.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from edge_agent.frames.limits import DecodeLimits
    from edge_agent.frames.page import Page
    from edge_agent.frames.reader import Source

FIRST = struct.Struct("<4i")
VERSION = struct.Struct("<i")
SCAN = struct.Struct("<BIIBdd")
OLD, WITH_SCAN, NEWEST = 1, 3, 9
LARGEST_SIDE = 1 << 14
LARGEST_HEADER = 1 << 20


@dataclass(frozen=True, slots=True)
class Header:
    """What it says; of a hexagonal scan, whose rows differ in length, and before version 3, columns and rows are 0."""

    version: int
    width: int
    height: int
    begins: int
    columns: int = 0
    rows: int = 0
    step_x_m: float = 0.0
    step_y_m: float = 0.0


@dataclass(frozen=True, slots=True)
class UpReader:
    """One of the two; a StackReader. The files differ in nothing but their suffix and the width of a pixel."""

    name: str
    suffixes: tuple[str, ...]
    dtype: np.dtype[np.unsignedinteger]
    rule: str = "it holds all patterns of its scan, or, where its header tells no scan, patterns without a part of one"
    by_path: bool = True
    library: str = ""

    def recognises(self, head: bytes, name: str) -> bool:
        """By the suffix and a header that makes sense, for there is no signature."""
        if not name.lower().endswith(self.suffixes) or len(head) < VERSION.size:
            return False
        try:
            return _header(head) is not None
        except struct.error:  # not all there yet
            return _is_known(*VERSION.unpack_from(head))

    def lacks(self, file: BinaryIO, size: int) -> bool:
        """Whether patterns are missing, or part of one is."""
        header = _header(file.read(FIRST.size + SCAN.size))
        if header is None:
            return False
        each = header.width * header.height * self.dtype.itemsize
        if header.columns:
            return size < header.begins + header.columns * header.rows * each
        return size <= header.begins or (size - header.begins) % each != 0

    @contextmanager
    def stack(self, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Stack]:  # noqa: ARG002 - it tells no time
        """Its patterns."""
        with opened(source.path) as (file, size):
            header = _header(file.read(FIRST.size + SCAN.size))
            if header is None:
                refuse(source.name, "decoder_failed", "its header makes no sense")
            shape = header.height, header.width
            check_shape(source.name, shape, self.dtype.itemsize, limits)
            each = header.width * header.height * self.dtype.itemsize
            count = header.columns * header.rows or (size - header.begins) // each
            whole = header.columns > 0 or (size - header.begins) % each == 0
            if size < header.begins + max(1, count) * each or not whole:
                there = max(0, size - header.begins) / each
                refuse(source.name, "truncated", f"holds {there:.3g} patterns" + (f" of {count}" if header.columns else ""))

            def page(place: int) -> Page:
                values = pattern_at(file, header.begins + place * each, shape, self.dtype, source.name)
                record = Record()
                record.take("scan_index", place, "place in the file")
                if header.columns:
                    take_place(record, place, header.columns, (header.step_x_m, header.step_y_m), "header: columns, steps")
                record.also("version", header.version)
                return record.page(values)

            yield Stack(count, page)

    read = all_pages


UP1 = UpReader("EDAX UP1", (".up1",), np.dtype("u1"))
UP2 = UpReader("EDAX UP2", (".up2",), np.dtype("<u2"))


def _header(head: bytes) -> Header | None:
    """None where it makes no sense; raises struct.error where it is cut short."""
    version, width, height, begins = FIRST.unpack_from(head)
    if not _is_known(version):
        return None
    scan_bytes = SCAN.size if version >= WITH_SCAN else 0
    if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE and FIRST.size + scan_bytes <= begins <= LARGEST_HEADER):
        return None
    if not scan_bytes:
        return Header(version, width, height, begins)
    _, columns, rows, hexagonal, step_x, step_y = SCAN.unpack_from(head, FIRST.size)
    if hexagonal or not columns or not rows:
        return Header(version, width, height, begins)
    return Header(version, width, height, begins, columns, rows, step_x * MICRON_M, step_y * MICRON_M)


def _is_known(version: int) -> bool:
    return version == OLD or WITH_SCAN <= version <= NEWEST
