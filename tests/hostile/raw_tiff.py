"""TIFF written byte by byte, so that it can say what no library would write."""

from __future__ import annotations

import itertools
import struct
from typing import TypeAlias

Tag: TypeAlias = tuple[int, int, int, int | bytes]
"""Tag, type, count, and the value in the entry or the bytes that lie elsewhere."""
SHORT, LONG, ASCII, BYTE, LONG8 = 3, 4, 2, 1, 16
PIXELS = bytes(range(1, 251)) * 64
"""What a picture's strip is cut from: no two neighbours alike."""


def picture_tags(
    width: int, height: int, *, strip: tuple[int, int], compression: int = 1, bits: int = 8, rows: int | None = None
) -> list[Tag]:
    """The tags of a grey picture of one strip, which begins at `strip[0]` and is `strip[1]` bytes long."""
    return [
        (256, LONG, 1, width),
        (257, LONG, 1, height),
        (258, SHORT, 1, bits),
        (259, SHORT, 1, compression),
        (262, SHORT, 1, 1),
        (273, LONG, 1, strip[0]),
        (277, SHORT, 1, 1),
        (278, LONG, 1, height if rows is None else rows),
        (279, LONG, 1, strip[1]),
    ]


def raw_tiff(directories: list[list[Tag]], body: bytes = b"", *, following: list[int] | None = None, first: int = 8) -> bytes:
    """A little-endian classic TIFF: header, directories one after another from byte 8, what their tags hold elsewhere, `body`.

    `following` overrides where each directory says the next one is; `first` where the header says the first one is.
    """
    sizes = [2 + 12 * len(tags) + 4 for tags in directories]
    starts = [8, *itertools.accumulate(sizes, initial=8)][1:]
    elsewhere_at = 8 + sum(sizes)
    elsewhere, tables = bytearray(), bytearray()
    for number, tags in enumerate(directories):
        tables += struct.pack("<H", len(tags))
        for tag, kind, count, value in sorted(tags, key=lambda tag: tag[0]):
            if isinstance(value, bytes):
                tables += struct.pack("<HHII", tag, kind, count & 0xFFFFFFFF, elsewhere_at + len(elsewhere))
                elsewhere += value
            else:
                tables += struct.pack("<HHII", tag, kind, count & 0xFFFFFFFF, value & 0xFFFFFFFF)
        natural = starts[number + 1] if number + 1 < len(directories) else 0
        tables += struct.pack("<I", natural if following is None else following[number])
    return struct.pack("<2sHI", b"II", 42, first) + bytes(tables) + bytes(elsewhere) + body


def one_picture(body: bytes, width: int = 64, height: int = 64, extra: list[Tag] | None = None, **about: int) -> bytes:
    """A TIFF of one picture whose one strip is `body`; tags in `extra` stand in the place of its own."""
    named = {tag[0]: tag for tag in extra or []}
    usual = picture_tags(width, height, strip=(0, len(body)), **about)
    names = {tag[0] for tag in usual} | set(named)
    begins = 8 + 2 + 12 * len(names) + 4 + sum(len(value) for *_, value in named.values() if isinstance(value, bytes))
    tags = {tag[0]: tag for tag in picture_tags(width, height, strip=(begins, len(body)), **about)} | named
    return raw_tiff([list(tags.values())], body)
