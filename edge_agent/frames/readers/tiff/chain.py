"""Which images a TIFF holds: its chain of directories, walked with no more of each than tells what it is."""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from edge_agent.frames.medium import blame_medium
from edge_agent.frames.readers.tiff.pages import page_at, planes_of
from edge_agent.frames.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.frames.limits import DecodeLimits

KIND, OLD_KIND, WIDTH, LENGTH, DEPTH = 254, 255, 256, 257, 32997
TOLD = frozenset({KIND, OLD_KIND, WIDTH, LENGTH, DEPTH})
REDUCED_OR_MASK, OLD_REDUCED = 0b101, 2
THUMBNAIL_SHARE = 2
"""An image less than half as wide as the first is its thumbnail, even where it does not say so."""
MOST_ENTRIES = 4096
"""Of one directory: tifffile reads none that has more, nor what comes behind it."""
MOST_LOOKS = 1 << 24
"""How many entries of one file are looked at, all its directories together: some seconds, and half a million ordinary directories."""
DIRECTORY_LOOKS, PARSED_LOOKS = 16, 1000
"""What a directory counts as, and one that only tifffile understands."""


@dataclass(frozen=True, slots=True)
class Chain:
    """The full-size images of a file, by their directories.

    Attributes:
        offsets: where each directory begins that holds some.
        ends: how many images those up to each hold.
        directories: how many there are, thumbnails included.
        small: how many images have a side too short for a frame.
        pixels: of all images together.
        is_cut: whether the chain goes on beyond the file's end.
    """

    offsets: array[int] = field(default_factory=lambda: array("Q"))
    ends: array[int] = field(default_factory=lambda: array("Q"))
    directories: int = 0
    small: int = 0
    pixels: int = 0
    is_cut: bool = False

    @property
    def count(self) -> int:
        """How many images there are."""
        return self.ends[-1] if self.ends else 0

    def find(self, place: int) -> tuple[int, int]:
        """Where the directory of the image at `place` begins, and which of its planes that is."""
        number = bisect_right(self.ends, place)
        return self.offsets[number], place - (self.ends[number - 1] if number else 0)


def walk(tiff: Any, file: BinaryIO, name: str, limits: DecodeLimits) -> Chain:
    """The images of `file`, which `tiff` has open; refuses a chain without end, or of more directories than can be looked at."""
    directories = _Directories(tiff, file, name)
    offsets, ends = array("Q"), array("Q")
    images = small = pixels = first_width = 0
    for offset, found in directories:
        facts = _facts(found)
        if facts is None:
            directories.spend(PARSED_LOOKS)
            facts = _parsed(tiff, offset, name, limits)
        width, length, is_none, planes = facts
        if is_none or (first_width and width * THUMBNAIL_SHARE < first_width):
            continue
        first_width = first_width or width
        images += planes
        offsets.append(offset)
        ends.append(images)
        small += planes if min(width, length) < limits.smallest_px else 0
        pixels += width * length * planes
    return Chain(offsets, ends, directories.count, small, pixels, directories.is_cut)


def _facts(found: dict[int, int | None]) -> tuple[int, int, bool, int] | None:
    """Width, length, whether it is a thumbnail or a mask, and images; None where the tags are not as simple as they usually are."""
    width, length, kind = found.get(WIDTH), found.get(LENGTH), found.get(KIND, 0)
    if not width or not length or kind is None or found.get(DEPTH, 1) != 1 or found.get(OLD_KIND, 0) is None:
        return None
    return width, length, bool(kind & REDUCED_OR_MASK) or (kind == 0 and found.get(OLD_KIND) == OLD_REDUCED), 1


def _parsed(tiff: Any, offset: int, name: str, limits: DecodeLimits) -> tuple[int, int, bool, int]:
    """The same as tifffile has it; of a directory that it cannot read, one image, which will say so when it is read."""
    try:
        page = page_at(tiff, offset)
        return int(page.imagewidth), int(page.imagelength), page.is_reduced or page.is_mask, planes_of(page, limits)
    except Exception as error:  # noqa: BLE001 - tifffile raises anything at all on a damaged directory
        blame_medium(name, error)
        return 0, 0, False, 1


class _Directories:
    """Every directory of a chain: where it begins, and its TOLD tags, each a number or None where it is none or several.

    A directory that ends beyond the file's end, or has too many entries, is the last, and tells nothing.

    Attributes:
        count: how many were met.
        is_cut: whether the chain goes on beyond the file's end.
    """

    def __init__(self, tiff: Any, file: BinaryIO, name: str) -> None:
        self.count = 0
        self.is_cut = False
        self._file = file
        self._name = name
        self._looks = 0
        self._size: int = tiff.filehandle.size
        self._first: int = tiff.pages.first.offset if tiff.pages else 0
        self.is_cut = not self._first
        order, big = tiff.byteorder, tiff.is_bigtiff
        self._number = struct.Struct(order + ("Q" if big else "H"))
        self._entry = struct.Struct(order + ("HHQQ" if big else "HHII"))
        self._next = struct.Struct(order + ("Q" if big else "I"))
        bits = self._next.size * 8
        kinds = {3: 16, 4: 32, 16: 64} if big else {3: 16, 4: 32}
        self._inline = {kind: (0 if order == "<" else bits - own, (1 << own) - 1) for kind, own in kinds.items()}

    def spend(self, looks: int) -> None:
        """Refuse the file when it has cost too many."""
        self._looks += looks
        if self._looks > MOST_LOOKS:
            refuse(self._name, "too_large", f"holds {self.count} directories and more, which are too many to look at")

    def __iter__(self) -> Iterator[tuple[int, dict[int, int | None]]]:
        offset, anchor, turn = self._first, 0, 1
        while offset:
            if offset >= self._size:
                self.is_cut = True
                return
            if offset == anchor:
                refuse(self._name, "too_large", "has directories that lead back to themselves: it never ends")
            self.count += 1
            if self.count == turn:  # Brent (1980), BIT 20, 176-184: finds a cycle without keeping what was met
                anchor, turn = offset, 2 * turn
            self._file.seek(offset)
            head = self._file.read(self._number.size)
            entries = self._number.unpack(head)[0] if len(head) == self._number.size else 0
            length = entries * self._entry.size
            table = self._file.read(length + self._next.size) if entries <= MOST_ENTRIES else b""
            self.spend(DIRECTORY_LOOKS + min(entries, MOST_ENTRIES))
            yield offset, self._told(table[:length]) if len(table) >= length else {}
            if len(table) < length + self._next.size:
                self.is_cut = entries <= MOST_ENTRIES
                return
            (offset,) = self._next.unpack_from(table, length)

    def _told(self, table: bytes) -> dict[int, int | None]:
        found: dict[int, int | None] = {}
        for tag, kind, count, value in self._entry.iter_unpack(table):
            if tag in TOLD and tag not in found:
                shift, mask = self._inline.get(kind, (0, 0))
                found[tag] = value >> shift & mask if count == 1 and mask else None
        return found
