"""Pictures of no size, of negative size, and larger than any memory."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from tests.hostile.bombs import png
from tests.hostile.raw_tiff import LONG, PIXELS, SHORT, one_picture
from tests.hostile.seed import made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.seed import Hostile

SIDES = (0, 1, 2, 31, 65_535, 65_536, 1 << 31, (1 << 32) - 1)


def dimensions() -> Iterator[Hostile]:
    """TIFF, PNG, JPEG and BMP of each size, over a few kilobytes."""
    packed = zlib.compress(PIXELS[:4096])
    for width in SIDES:
        for height in SIDES:
            size = f"{width} x {height}"
            for compression, body in ((1, PIXELS[:4096]), (8, packed)):
                yield made(
                    "dimensions", "a.tif", f"{size}, compression {compression}", one_picture(body, width, height, compression=compression)
                )
            yield made("dimensions", "a.png", size, png(width, height, packed))
            for signed in ((width, height), (-width, -height)):
                sides = [side & 0xFFFFFFFF for side in signed]
                bmp = b"BM" + struct.pack("<IHHI", 54 + 4096, 0, 0, 54) + struct.pack("<IIIHHIIIIII", 40, *sides, 1, 8, 0, 0, 0, 0, 0, 0)
                yield made("dimensions", "a.bmp", f"{signed}", bmp + PIXELS[:4096])
    yield from _layouts(packed)


def _layouts(packed: bytes) -> Iterator[Hostile]:
    """TIFFs of 64 x 64 whose one tag says otherwise."""
    for bits in (0, 1, 2, 3, 7, 12, 15, 31, 64, 65_535):
        yield made("dimensions", "a.tif", f"{bits} bits a pixel", one_picture(PIXELS, 64, 64, bits=bits))
    for rows in (0, 1, 63, 1 << 31, (1 << 32) - 1):
        yield made("dimensions", "a.tif", f"{rows} rows a strip", one_picture(PIXELS, 64, 64, rows=rows))
    for samples in (0, 2, 3, 4, 5, 255, 65_535):
        yield made(
            "dimensions",
            "a.tif",
            f"{samples} samples a pixel",
            one_picture(PIXELS, 64, 64, extra=[(277, SHORT, 1, samples), (284, SHORT, 1, 2)]),
        )
    for depth in (0, 2, 1 << 31):
        yield made("dimensions", "a.tif", f"a volume of {depth} planes", one_picture(PIXELS, 64, 64, extra=[(32997, LONG, 1, depth)]))
    for tile in (0, 1, 16, 1 << 31):
        tags = [(322, LONG, 1, tile), (323, LONG, 1, tile), (324, LONG, 1, 200), (325, LONG, 1, 256)]
        yield made("dimensions", "a.tif", f"tiles of {tile}", one_picture(PIXELS, 64, 64, extra=tags))
    for form in range(8):
        yield made("dimensions", "a.tif", f"sample format {form}", one_picture(PIXELS, 64, 64, extra=[(339, SHORT, 1, form)]))
    for photometric in (0, 2, 3, 4, 5, 6, 8, 32803, 65_535):
        yield made("dimensions", "a.tif", f"photometric {photometric}", one_picture(PIXELS, 64, 64, extra=[(262, SHORT, 1, photometric)]))
    for predictor in (2, 3, 34892):
        yield made(
            "dimensions", "a.tif", f"predictor {predictor}", one_picture(packed, 64, 64, compression=8, extra=[(317, SHORT, 1, predictor)])
        )
