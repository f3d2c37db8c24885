"""Oxford Instruments .ebsp: a table of where each of the scan's patterns lies, and patterns in the order in which they were taken.

Little-endian. Version: 64 bits, below zero, and from version 4 on one more byte; version 0 has none. The table: 64 bits a pattern, 0 where
none was stored; it ends where the first pattern begins. A pattern: whether it is compressed, height, width and bytes (32 bits each), its
pixels, and whether and where the beam was in micrometres (a byte and a 64-bit float for x, then y). Public description: PyEBSDIndex.
"""

from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from edge_agent.frames.reader import Stack, TooMuchError, all_pages
from edge_agent.frames.readers.ebsd.patterns import MICRON_M, opened, pattern_at
from edge_agent.frames.readers.record import Record
from edge_agent.frames.readers.stored import check_shape
from edge_agent.frames.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from numpy.typing import NDArray

    from edge_agent.frames.limits import DecodeLimits
    from edge_agent.frames.page import Page
    from edge_agent.frames.reader import Source

VERSION = struct.Struct("<q")
PATTERN = struct.Struct("<4i")
BEAM = struct.Struct("<?d?d")
NEWEST, WITH_ONE_MORE_BYTE = 9, 4
ENTRY_BYTES = 8
TYPES: dict[int, np.dtype[Any]] = {1: np.dtype("u1"), 2: np.dtype("<u2")}
ENTRIES_AT_ONCE = 1 << 16
ENTRIES_AT_A_LOOK = 1 << 20


class EbspReader:
    """Oxford .ebsp; a StackReader."""

    name = "Oxford EBSP"
    suffixes = (".ebsp",)
    rule = "its table is there, and so is the pattern that lies last"
    by_path = True
    library = ""

    def recognises(self, head: bytes, name: str) -> bool:
        """By the suffix and a version that makes sense, for there is no signature."""
        return name.lower().endswith(self.suffixes) and len(head) >= VERSION.size and _table_begins(head) is not None

    def lacks(self, file: BinaryIO, size: int) -> bool:
        """Whether the table has no end yet, or the last pattern lies beyond the end; raises struct.error for a version cut short."""
        begins = _table_begins(file.read(VERSION.size))
        if begins is None:
            return False
        offsets = _table(file, begins, size, ENTRIES_AT_A_LOOK)
        if offsets is None:
            return True
        if not len(offsets):
            return False
        last = int(offsets.max())
        file.seek(last)
        *_, length = PATTERN.unpack(file.read(PATTERN.size))
        return bool(size < last + PATTERN.size + max(0, length))

    @contextmanager
    def stack(self, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Stack]:  # noqa: ARG002 - it tells no time
        """Its patterns, in the order of the scan, up to the last that was stored: a scan may end early. One missing before is refused."""
        with opened(source.path) as (file, size):
            version = file.read(VERSION.size)
            begins = _table_begins(version)
            if begins is None:
                refuse(source.name, "decoder_failed", "its version makes no sense")
            try:
                offsets = _table(file, begins, size, limits.stack_frames)
            except TooMuchError:
                refuse(source.name, "too_large", f"holds more than {limits.stack_frames} patterns")
            if offsets is None:
                refuse(source.name, "truncated", "ends before its table of patterns does")
            if not len(offsets):
                refuse(source.name, "decoder_failed", "its table of patterns makes no sense")
            with_beam = begins > 0

            def page(place: int) -> Page:
                return _page(file, source.name, place, int(offsets[place]), limits, with_beam=with_beam)

            yield Stack(int(np.flatnonzero(offsets > 0)[-1]) + 1, page)

    read = all_pages


EBSP = EbspReader()


def _table_begins(head: bytes) -> int | None:
    (version,) = VERSION.unpack_from(head)
    if version >= 0:
        return 0 if version % ENTRY_BYTES == 0 else None  # version 0 begins with an entry; a table of whole entries ends at such a byte
    return None if version < -NEWEST else VERSION.size + (-version >= WITH_ONE_MORE_BYTE)


def _table(file: BinaryIO, begins: int, size: int, most: int) -> NDArray[np.int64] | None:
    """All entries; None where the file ends before the first pattern, none at all where an entry lies within the table.

    Raises TooMuchError for more than `most` of them.
    """
    pieces: list[NDArray[np.int64]] = []
    place, first = begins, size + 1
    file.seek(begins)
    while (place - begins) // ENTRY_BYTES < most:
        piece = np.frombuffer(_whole_entries(file.read(ENTRY_BYTES * ENTRIES_AT_ONCE)), "<i8")
        if not len(piece):
            return None
        firsts = np.minimum(np.minimum.accumulate(np.where(piece > 0, piece, size + 1)), first)  # the first pattern, as far as is known
        behind = place + ENTRY_BYTES * np.arange(1, len(piece) + 1)
        ended = np.flatnonzero(behind >= firsts)  # what stands further behind are pixels
        if len(ended):
            count = int(ended[0]) + 1
            whole = behind[ended[0]] == firsts[ended[0]]
            return np.concatenate([*pieces, piece[:count]]) if whole else np.empty(0, np.int64)
        place, first = int(behind[-1]), int(firsts[-1])
        pieces.append(piece)
    raise TooMuchError


def _whole_entries(content: bytes) -> bytes:
    return content[: len(content) // ENTRY_BYTES * ENTRY_BYTES]


def _page(file: BinaryIO, name: str, place: int, begins: int, limits: DecodeLimits, *, with_beam: bool) -> Page:
    if begins <= 0:
        refuse(name, "empty", f"pattern {place} was not stored")
    file.seek(begins)
    compressed, height, width, length = PATTERN.unpack(file.read(PATTERN.size))
    if compressed:
        refuse(name, "unsupported", f"pattern {place} is compressed", "have patterns saved uncompressed")
    check_shape(name, (height, width), 1, limits)
    dtype = TYPES.get(length // (height * width))
    if dtype is None or length != height * width * dtype.itemsize:
        refuse(name, "unsupported", f"pattern {place} has {length} bytes for {width} x {height} pixels")
    values = pattern_at(file, begins + PATTERN.size, (height, width), dtype, name)
    record = Record()
    record.take("scan_index", place, "place in the table")
    behind = file.read(BEAM.size) if with_beam else b""
    if len(behind) == BEAM.size and behind[0] == behind[9] == 1:
        _, x, _, y = BEAM.unpack(behind)
        record.take("scan_x_m", float(f"{x * MICRON_M:.12g}"), "beam x")
        record.take("scan_y_m", float(f"{y * MICRON_M:.12g}"), "beam y")
    return record.page(values)
