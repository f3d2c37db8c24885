"""TIFF directories that point at themselves, at each other, into the pixels, or past the end."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tests.hostile.raw_tiff import LONG, PIXELS, one_picture, picture_tags, raw_tiff
from tests.hostile.seed import made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.seed import Hostile


def directories() -> Iterator[Hostile]:
    """Every chain."""
    length = 2 + 12 * 9 + 4
    pages = [picture_tags(64, 64, strip=(8 + 3 * length, 4096)) for _ in range(3)]
    starts = [8 + length * number for number in range(3)]
    for how, following in {
        "the first points at itself": [starts[0], 0, 0],
        "the last points at the first": [starts[1], starts[2], starts[0]],
        "the second points at itself": [starts[1], starts[1], 0],
        "the first points into itself": [starts[0] + 2, 0, 0],
        "the first points one byte on": [starts[0] + 1, 0, 0],
        "the first points into the pixels": [8 + 3 * length + 5, 0, 0],
        "the first points at the header": [0xFFFFFFFF, 0, 0],
        "the first points at byte 1": [1, 0, 0],
    }.items():
        yield made("directories", "a.tif", how, raw_tiff(pages, PIXELS[:4096], following=following))
    for first in (0, 1, 2, 4, 7, 0x7FFFFFFF, 0xFFFFFFFF):
        yield made("directories", "a.tif", f"the header points at {first}", raw_tiff(pages, PIXELS[:4096], first=first))
    for tag in (330, 34665, 34853, 40965, 34118, 34682, 50838, 50839, 37724, 65000, 273, 279, 256, 258, 320):
        for count in (0, 1, 2, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF):
            for kind in (1, 2, 3, LONG, 5, 7, 12, 13, 16, 99):
                yield made(
                    "directories",
                    "a.tif",
                    f"tag {tag} of type {kind} counts {count}, at the directory",
                    one_picture(PIXELS, extra=[(tag, kind, count, 8)]),
                )
    chain = [struct.pack("<HI", 0, 8 + 6 * (number + 1)) for number in range(150_000)]
    yield made("directories", "a.tif", "150,000 empty directories", struct.pack("<2sHI", b"II", 42, 8) + b"".join(chain) + bytes(6))
    yield made("directories", "a.tif", "a BigTIFF of 2^63 entries", struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, 1 << 63) + PIXELS)
    yield made("directories", "a.tif", "a BigTIFF at 2^64 - 1", struct.pack("<2sHHHQQ", b"II", 43, 8, 0, (1 << 64) - 1, 1) + PIXELS)
    entry = struct.pack("<HHQQ", 256, 16, (1 << 61), (1 << 62))
    yield made(
        "directories",
        "a.tif",
        "a BigTIFF whose width has 2^61 values",
        struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, 1) + entry + bytes(8) + PIXELS,
    )
