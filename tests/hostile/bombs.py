"""Small files that unpack to gigabytes, or cost minutes."""

from __future__ import annotations

import bz2
import gzip
import io
import struct
import zlib
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tests.hostile.raw_tiff import PIXELS, one_picture, picture_tags, raw_tiff
from tests.hostile.seed import made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.seed import Hostile

MEBIBYTE = 1 << 20
ADLER = 65521


@cache
def deflated_zeros(mebibytes: int) -> bytes:
    """A whole zlib stream of so many mebibytes of zeros, a thousandth as long, made without packing them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(MEBIBYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    check = (mebibytes * MEBIBYTE % ADLER) << 16 | 1
    return b"\x78\xda" + block * mebibytes + b"\x03\x00" + struct.pack(">I", check)


@cache
def gzipped_zeros(mebibytes: int) -> bytes:
    """The same as a gzip member; its check is wrong, which is known only at its end."""
    return b"\x1f\x8b\x08\0\0\0\0\0\x02\xff" + deflated_zeros(mebibytes)[2:-4] + struct.pack("<II", 0, mebibytes * MEBIBYTE & 0xFFFFFFFF)


@cache
def bzipped_zeros(mebibytes: int) -> bytes:
    """Bzip2 streams one after another, which make one file."""
    return bz2.compress(bytes(32 * MEBIBYTE)) * (mebibytes // 32)


def png(width: int, height: int, packed: bytes, *before: tuple[bytes, bytes]) -> bytes:
    """A grey PNG with these chunks before its data, which are `packed`."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    inner = b"".join(chunk(*one) for one in before)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + inner + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def progressive_jpeg(side: int, repeats: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again: each costs a pass over the whole picture."""
    target = io.BytesIO()
    Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (side, side // 256))).save(target, "JPEG", progressive=True, quality=5)
    content = target.getvalue()
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * repeats + b"\xff\xd9"


def bombs() -> Iterator[Hostile]:
    """Every bomb."""
    for mebibytes in (64, 1024, 8192):
        yield made("bomb", "a.tif", f"a 64 x 64 strip of {mebibytes} MiB, deflated", one_picture(deflated_zeros(mebibytes), compression=8))
    yield made("bomb", "a.tif", "a 64 x 64 strip of 1 GiB, packed by PackBits", one_picture(b"\x81\0" * (8 << 20), compression=32773))
    yield made(
        "bomb",
        "a.tif",
        "a 64 x 64 strip, packed by PackBits, of literals that never end",
        one_picture(b"\x7f" * (4 << 20), compression=32773),
    )
    for code in (5, 6, 7, 34887, 34925, 34926, 50000, 50001, 50002, 33003, 34712):
        yield made(
            "bomb", "a.tif", f"a deflate bomb that says it is compressed by {code}", one_picture(deflated_zeros(64), compression=code)
        )
    strip = zlib.compress(PIXELS[:4096] * 256, 9)
    shared = [picture_tags(1024, 1024, strip=(0, len(strip)), compression=8) for _ in range(4000)]
    at = len(raw_tiff(shared))
    shared = [picture_tags(1024, 1024, strip=(at, len(strip)), compression=8) for _ in range(4000)]
    yield made("bomb", "a.tif", "4000 pages of a megapixel that share one strip", raw_tiff(shared, strip))
    tiny = [picture_tags(1, 1, strip=(8, 1)) for _ in range(60_000)]
    yield made("bomb", "a.tif", "60,000 pages of one pixel", raw_tiff(tiny))
    yield made("bomb", "a.tif", "a 10,000 x 10,000 strip of zeros", one_picture(deflated_zeros(96), 10_000, 10_000, compression=8))
    yield made("bomb", "a.png", "64 x 64 with 8 GiB of data", png(64, 64, deflated_zeros(8192)))
    yield made("bomb", "a.png", "9,900 x 9,900 zeros", png(9_900, 9_900, deflated_zeros(94)))
    yield made(
        "bomb", "a.png", "a text chunk of 2 GiB", png(64, 64, zlib.compress(bytes(65 * 64)), (b"zTXt", b"a\0\0" + deflated_zeros(2048)))
    )
    yield made(
        "bomb", "a.png", "a profile of 2 GiB", png(64, 64, zlib.compress(bytes(65 * 64)), (b"iCCP", b"a\0\0" + deflated_zeros(2048)))
    )
    texts = [(b"tEXt", f"key{number}".encode() + b"\0" + b"v" * 900) for number in range(60_000)]
    yield made("bomb", "a.png", "60,000 texts", png(64, 64, zlib.compress(bytes(65 * 64)), *texts))
    yield made("bomb", "a.jpg", "4,096 x 4,096 in two thousand scans", progressive_jpeg(4096, 2000))
    for name, make in (("gz", gzipped_zeros), ("bz2", bzipped_zeros)):
        for inner in ("cbf", "edf", "img", "tif", "sfrm", "mrc"):
            yield made("bomb", f"a.{inner}.{name}", "8 GiB of zeros", make(8192))
    head = b"###CBF: VERSION 1.5\r\n\r\ndata_a\r\n_array_data.data\r\n;\r\n"
    yield made("bomb", "a.cbf.gz", "a text of 1 GiB that never comes to its picture", gzip.compress(head) + gzipped_zeros(1024))
    yield made("bomb", "a.cbf.gz", "a gzip within a gzip within a gzip", gzip.compress(gzip.compress(gzipped_zeros(64))))
