"""The tags of DigitalMicrograph's files (DM3, DM4): a directory of directories, of which large arrays are only located.

Gatan publishes no description; this follows those of G. Jefferis (imagej.net, "DM3 Image Format") and C. Boothroyd ("Digital Micrograph
file format"). Sizes and types are big-endian, values in the order that the header says.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

DIRECTORY, DATA = 20, 21
SIMPLE = {2: "i2", 3: "i4", 4: "u2", 5: "u4", 6: "f4", 7: "f8", 8: "u1", 9: "i1", 10: "u1", 11: "i8", 12: "u8"}
STRUCT, ARRAY = 15, 20
TEXT = (4,)
"""What texts are arrays of: numbers of 16 bits."""
MOST_TAGS = 200_000
DEEPEST = 64
MOST_TYPE_NUMBERS = 4096
INLINE_BYTES = 8192
"""Longer arrays are located, not read."""

Value: TypeAlias = Any
Directory: TypeAlias = dict[str, Value]


class DmError(ValueError):
    """Tags make no sense."""


@dataclass(frozen=True, slots=True)
class Located:
    """An array that was not read.

    Attributes:
        begin: where it begins.
        dtype: of its elements; of structures, their bytes.
        count: how many.
    """

    begin: int
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the tags: 3 or 4, the byte order of values, and where the tags begin and end."""

    version: int
    order: str
    begin: int
    end: int


def parse_header(head: bytes) -> Header | None:
    """The header, or None where it makes none; a root directory that begins with neither a directory nor a tag makes none either."""
    if len(head) < 32:
        return None
    (version,) = struct.unpack_from(">I", head)
    if version not in {3, 4}:
        return None
    length, little = struct.unpack_from(">II" if version == 3 else ">QI", head, 4)
    begin = 12 if version == 3 else 16
    first = begin + (6 if version == 3 else 10)
    if little not in {0, 1} or head[begin] > 1 or head[begin + 1] > 1 or head[first] not in {DIRECTORY, DATA, 0}:
        return None
    return Header(version, "<" if little else ">", begin, begin + length)


class Tags:
    """Reads all tags of a file, each number of them and each depth within bounds; raises DmError, or struct.error behind the end."""

    def __init__(self, file: BinaryIO, header: Header) -> None:
        self._file = file
        self._order = header.order
        self._wide = header.version == 4
        self._left = MOST_TAGS
        file.seek(header.begin)
        self.root = self._directory(0)

    def _number(self) -> int:
        """A size, of 4 or 8 bytes."""
        (value,) = struct.unpack(">Q" if self._wide else ">I", self._file.read(8 if self._wide else 4))
        return int(value)

    def _directory(self, depth: int) -> Directory:
        if depth > DEEPEST:
            raise DmError(f"more than {DEEPEST} levels of tags")
        self._file.read(2)  # whether it is sorted, and open
        count = self._number()
        found: Directory = {}
        for place in range(count):
            self._left -= 1
            if self._left < 0:
                raise DmError(f"more than {MOST_TAGS} tags")
            kind, length = struct.unpack(">BH", self._file.read(3))
            name = self._file.read(length).decode("latin-1") or str(place)
            end = self._number() + self._file.tell() if self._wide else None
            if kind == DIRECTORY:
                value = self._directory(depth + 1)
            elif kind == DATA:
                value = self._data(end)
            else:
                raise DmError(f"a tag of kind {kind}")
            found.setdefault(name, value)
        return found

    def _data(self, end: int | None) -> Value:
        if self._file.read(4) != b"%%%%":
            raise DmError("a tag without its mark")
        count = self._number()
        if not 1 <= count <= MOST_TYPE_NUMBERS:
            raise DmError(f"a type of {count} numbers")
        kind = struct.unpack(f">{count}{'Q' if self._wide else 'I'}", self._file.read(count * (8 if self._wide else 4)))
        if kind[0] == ARRAY and count >= 3:
            return self._array(_dtype(kind[1:-1], self._order), kind[-1], texts=kind[1:-1] == TEXT)
        try:
            dtype = _dtype(kind, self._order)
        except DmError:
            if end is None:
                raise
            self._file.seek(end)
            return None
        content = self._file.read(dtype.itemsize)
        if len(content) < dtype.itemsize:
            raise struct.error("a value is cut short")
        return np.frombuffer(content, dtype)[0].item()

    def _array(self, dtype: np.dtype[Any], count: int, *, texts: bool) -> Value:
        begin, size = self._file.tell(), dtype.itemsize * count
        if size > INLINE_BYTES:
            self._file.seek(begin + size)
            return Located(begin, dtype, count)
        content = self._file.read(size)
        if len(content) < size:
            raise struct.error("an array is cut short")
        if texts:
            return content.decode("utf-16-le" if self._order == "<" else "utf-16-be", "replace")
        return Located(begin, dtype, count)


def _dtype(kind: Sequence[int], order: str) -> np.dtype[Any]:
    """A simple type, or a structure of them."""
    if len(kind) == 1 and kind[0] in SIMPLE:
        return np.dtype(order + SIMPLE[kind[0]])
    if len(kind) >= 3 and kind[0] == STRUCT and len(kind) == 3 + 2 * kind[2]:
        fields = kind[4::2]
        if all(field in SIMPLE for field in fields):
            return np.dtype([(f"f{place}", order + SIMPLE[field]) for place, field in enumerate(fields)])
    raise DmError(f"a value of type {kind[0]}")
