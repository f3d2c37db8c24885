"""A TIFF's directories (TIFF 6.0, BigTIFF): whether everything they name lies within the file, without decoding any of it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from edge_agent.frames.reader import TooMuchError
from edge_agent.frames.readers.tiff.imagej import images_said

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRIP_TAGS = {273: 279, 324: 325}
"""TIFF 6.0: where strips and tiles begin, and how long they are."""
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
UNSIGNED = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
MOST_LOOKS = 1_000_000
"""How many strips of one file are looked at, all its directories together; a header that holds more is left to the decoder."""
ENTRY_LOOKS = 10
"""What a directory, or an entry of one, counts as: it costs about as much time as so many strips."""
STRIPS_AT_ONCE = 8192
"""64 KiB of a BigTIFF's strip offsets."""
DESCRIPTION_TAG, DESCRIPTION_BYTES = 270, 4096


def tiff_lacks(file: BinaryIO, size: int) -> bool:
    """Whether a directory, or a strip or tile that one names, lies beyond the end; raises TooMuchError."""
    try:
        return _Tiff(file, size).lacks()
    except struct.error:
        return True


class _Tiff:
    """A TIFF's directories, read in small pieces and only so many: this runs in the agent's own process, on files of any origin."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._left = MOST_LOOKS
        self._images = 0
        self._strips = (0, 0, 0)
        file.seek(0)
        head = file.read(16)
        self._order = "<" if head[:2] == b"II" else ">"
        self._big = head[2:4] in {b"+\x00", b"\x00+"}
        self._offset_form = self._order + ("Q" if self._big else "I")
        (self._first,) = struct.unpack_from(self._offset_form, head, 8 if self._big else 4)

    def lacks(self) -> bool:
        """Whether the file ends too early."""
        offset: int = self._first
        if offset == 0:
            return True  # the first directory is written last: its place is not known yet
        seen: set[int] = set()
        count_form, entry_bytes = (self._order + "Q", 20) if self._big else (self._order + "H", 12)
        while offset and offset not in seen:  # a damaged chain may bite its own tail
            seen.add(offset)
            if offset > self._size:
                return True
            self._file.seek(offset)
            (count,) = struct.unpack(count_form, self._file.read(struct.calcsize(count_form)))
            start = self._file.tell()
            if start + count * entry_bytes > self._size:
                return True
            self._spend((count + 1) * ENTRY_LOOKS)
            entries = self._file.read(count * entry_bytes)
            (offset,) = struct.unpack(self._offset_form, self._file.read(8 if self._big else 4))
            if self._directory_lacks(entries, start):
                return True
        return len(seen) == 1 and self._stack_lacks()

    def _stack_lacks(self) -> bool:
        """Whether images of an ImageJ stack are missing, which follow the first without directories of their own.

        A file that ends with its first image is one image, whose description another program has kept.
        """
        begin, end, length = self._strips
        return self._images > 1 and self._first < begin and end < self._size < begin + self._images * length

    def _spend(self, looks: int) -> None:
        self._left -= looks
        if self._left < 0:
            raise TooMuchError

    def _directory_lacks(self, entries: bytes, start: int) -> bool:
        arrays: dict[int, tuple[np.dtype[np.unsignedinteger], int, int]] = {}
        width, inline, count_place = (20, 8, 12) if self._big else (12, 4, 8)
        for entry in range(0, len(entries), width):
            tag, kind = struct.unpack_from(self._order + "HH", entries, entry)
            (count,) = struct.unpack_from(self._offset_form, entries, entry + 4)
            length = TYPE_BYTES.get(kind, 1) * count
            place = start + entry + count_place
            if length > inline:
                (place,) = struct.unpack_from(self._offset_form, entries, entry + count_place)
                if place + length > self._size:
                    return True
            if tag == DESCRIPTION_TAG and not self._images:
                self._file.seek(place)
                self._images = images_said(self._file.read(min(length, DESCRIPTION_BYTES)))
            if tag in STRIP_TAGS or tag in STRIP_TAGS.values():
                if kind not in UNSIGNED:
                    return True
                arrays[tag] = np.dtype(self._order + UNSIGNED[kind]), count, place
        return any(
            self._strips_lack(arrays[begins], arrays[lengths])
            for begins, lengths in STRIP_TAGS.items()
            if begins in arrays and lengths in arrays
        )

    def _strips_lack(
        self, begins: tuple[np.dtype[np.unsignedinteger], int, int], lengths: tuple[np.dtype[np.unsignedinteger], int, int]
    ) -> bool:
        count = min(begins[1], lengths[1])
        self._spend(count)
        least, most, total = self._size, 0, 0
        for first in range(0, count, STRIPS_AT_ONCE):
            here = min(STRIPS_AT_ONCE, count - first)
            begin, length = (self._numbers(array, first, here) for array in (begins, lengths))
            # each below the size first, so that the sum cannot overflow
            if begin.max() > self._size or length.max() > self._size or (begin + length).max() > self._size:
                return True
            least, most = min(least, int(begin.min())), max(most, int((begin + length).max()))
            total += int(length.sum())
        self._strips = (least, most, total)
        return False

    def _numbers(self, array: tuple[np.dtype[np.unsignedinteger], int, int], first: int, count: int) -> NDArray[np.uint64]:
        kind, _, place = array
        self._file.seek(place + first * kind.itemsize)
        return np.frombuffer(self._file.read(count * kind.itemsize), kind).astype(np.uint64)
