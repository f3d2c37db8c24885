"""TIA's series files (.ser): what stands where.

After "The TIA Series Data (ESD) file format", FEI, as told at er-c.org/cbb/info/TIAformat. All numbers are little-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from edge_agent.frames.reader import TooMuchError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIGNATURE = b"II\x97\x01"
WIDE_VERSION = 0x0220
"""From this version on, places in the file take 8 bytes."""
SPECTRA, IMAGES = 0x4120, 0x4122
TIME_ONLY, TIME_AND_PLACE = 0x4152, 0x4142
TAG_BYTES = {TIME_ONLY: 8, TIME_AND_PLACE: 24}
PIXELS = {1: "<u1", 2: "<u2", 3: "<u4", 4: "<i1", 5: "<i2", 6: "<i4", 7: "<f4", 8: "<f8", 9: "<c8", 10: "<c16"}
MOST_LOOKS = 1_000_000
"""How many places a look takes in."""
AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True)
class Series:
    """A series file's header.

    Attributes:
        data_kind: SPECTRA or IMAGES.
        tag_kind: TIME_ONLY or TIME_AND_PLACE.
        total: elements that were planned; `valid` of them are there.
        array_begin: where the array of their places begins; that of their tags' places follows it.
        place_bytes: bytes of one place.
    """

    data_kind: int
    tag_kind: int
    total: int
    valid: int
    array_begin: int
    place_bytes: int

    def place_of(self, file: BinaryIO, element: int, *, tag: bool = False) -> int:
        """Where an element, or its tag, begins; raises struct.error behind the end."""
        file.seek(self.array_begin + ((self.total if tag else 0) + element) * self.place_bytes)
        (place,) = struct.unpack("<q" if self.place_bytes == 8 else "<i", file.read(self.place_bytes))
        return int(place)

    @property
    def array_end(self) -> int:
        """Where both arrays end."""
        return self.array_begin + 2 * self.total * self.place_bytes


@dataclass(frozen=True, slots=True)
class Element:
    """What stands before an element's values.

    Attributes:
        origin, step, origin_at: where along x value number `origin_at` lies, and how far the next one.
        dtype: of the values, "" where it is unknown.
        shape: (rows, columns), or (points,).
        begin: where the values begin.
    """

    origin: float
    step: float
    origin_at: int
    dtype: str
    shape: tuple[int, ...]
    begin: int

    @property
    def end(self) -> int:
        """Where the values end."""
        size = np.dtype(self.dtype).itemsize if self.dtype else 0
        for side in self.shape:
            size *= side
        return self.begin + size


def parse_series(head: bytes) -> Series | None:
    """The header, or None where it makes none; raises struct.error for one cut short."""
    if not head.startswith(SIGNATURE):
        return None
    version, data_kind, tag_kind, total, valid = struct.unpack_from("<Hiiii", head, 4)
    wide = version >= WIDE_VERSION
    (array_begin,) = struct.unpack_from("<q" if wide else "<i", head, 22)
    if data_kind not in {SPECTRA, IMAGES} or not 0 <= valid <= total or array_begin < 0:
        return None
    return Series(data_kind, tag_kind, total, valid, array_begin, 8 if wide else 4)


def read_element(file: BinaryIO, series: Series, place: int) -> Element | None:
    """The element that begins at `place`, or None for one that makes no sense; raises struct.error behind the end."""
    file.seek(max(place, 0))
    if series.data_kind == SPECTRA:
        origin, step, origin_at, kind, points = struct.unpack("<ddihi", file.read(26))
        shape: tuple[int, ...] = (points,)
    else:
        origin, step, origin_at, _, _, _, kind, columns, rows = struct.unpack("<ddiddihii", file.read(50))
        shape = (rows, columns)
    if place < 0 or kind not in PIXELS or min(shape) < 1:
        return None
    return Element(origin, step, origin_at, PIXELS[kind], shape, file.tell())


def series_lacks(file: BinaryIO, size: int) -> bool:
    """Whether valid elements, or their tags, lie behind the end; raises struct.error for a header cut short, and TooMuchError."""
    series = parse_series(file.read(30))
    if series is None:
        return False
    if series.array_end > size or (series.valid == 0 and series.total > 0):
        return True
    if 2 * series.valid > MOST_LOOKS:
        raise TooMuchError
    last = int(_largest(file, series, 0))
    element = read_element(file, series, last) if last < size else None
    tags_end = int(_largest(file, series, series.total)) + TAG_BYTES.get(series.tag_kind, 0)
    return last >= size or tags_end > size or (element is not None and element.end > size)


def _largest(file: BinaryIO, series: Series, skipped: int) -> int:
    """The largest of the valid places behind `skipped` others."""
    largest = 0
    kind = np.dtype("<i8" if series.place_bytes == 8 else "<i4")
    for first in range(0, series.valid, AT_ONCE):
        file.seek(series.array_begin + (skipped + first) * series.place_bytes)
        places: NDArray[np.signedinteger] = np.frombuffer(file.read(min(AT_ONCE, series.valid - first) * series.place_bytes), kind)
        largest = max(largest, int(places.max()))
    return largest
