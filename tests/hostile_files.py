"""Files that must be refused, each with the cause it is refused for."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable


def micrograph(height: int = 64, width: int = 80, dtype: Any = np.uint8, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, (height, width), dtype=dtype)


def tiff(pixels: Any, **options: Any) -> bytes:
    target = io.BytesIO()
    tifffile.imwrite(target, pixels, **{"photometric": "minisblack", **options})
    return target.getvalue()


def picture(form: str, pixels: Any = None, mode: str | None = None) -> bytes:
    target = io.BytesIO()
    image = Image.fromarray(micrograph() if pixels is None else pixels)
    (image.convert(mode) if mode else image).save(target, form)
    return target.getvalue()


def huge_tiff() -> bytes:
    """A header that promises 20,000 x 20,000 pixels over a few bytes."""
    content = bytearray(tiff(micrograph(), byteorder="<"))
    (offset,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, offset)
    for entry in range(offset + 2, offset + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from("<HH", content, entry)
        if tag in {256, 257, 278}:
            struct.pack_into("<H" if kind == 3 else "<I", content, entry + 8, 20_000)
    return bytes(content)


def huge_png() -> bytes:
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(10_000))), (b"IEND", b"")):
        content += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return content


def with_nan() -> Any:
    pixels = np.random.default_rng(0).random((64, 64), dtype=np.float32)
    pixels[3, 3] = np.nan
    return pixels


HOSTILE: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "nothing": ("a.tif", lambda: b"", "empty"),
    "half a TIFF": ("a.tif", lambda: tiff(micrograph())[:3000], "truncated"),
    "half a TIFF whose directory comes last": ("a.tif", lambda: tiff(micrograph(), bigtiff=True)[:100], "truncated"),
    "a TIFF header": ("a.tif", lambda: b"II*\0\x08\0\0\0", "truncated"),
    "a quarter of a PNG": ("a.png", lambda: picture("PNG")[:1500], "truncated"),
    "a third of a JPEG": ("a.jpg", lambda: picture("JPEG")[:1500], "truncated"),
    "half a BMP": ("a.bmp", lambda: picture("BMP")[:3000], "truncated"),
    "a script": ("a.tif", lambda: b"#!/bin/sh\necho hello\n", "wrong_type"),
    "an HDF5 file": ("a.tif", lambda: b"\x89HDF\r\n\x1a\n" + bytes(100), "truncated"),
    "zeros": ("a.png", lambda: bytes(1000), "wrong_type"),
    "an unknown format": ("a.dm2", lambda: b"\0\x3d\0\0\0\x04" + bytes(100), "unsupported"),
    "complex numbers": ("a.tif", lambda: tiff(np.ones((64, 64), np.complex64)), "unsupported"),
    "not a number": ("a.tif", lambda: tiff(with_nan()), "not_finite"),
    "infinite": ("a.tif", lambda: tiff(np.where(np.eye(64) > 0, np.inf, 0).astype(np.float32)), "not_finite"),
    "beyond 32 bit": ("a.tif", lambda: tiff(np.where(np.eye(64) > 0, 1e300, 0)), "not_finite"),
    "all one value": ("a.tif", lambda: tiff(np.full((64, 64), 7, np.uint8)), "constant"),
    "all one value in colour": ("a.png", lambda: picture("PNG", np.full((64, 64, 3), 9, np.uint8)), "constant"),
    "one pixel": ("a.tif", lambda: tiff(np.array([[1]], np.uint8)), "too_small"),
    "one line": ("a.png", lambda: picture("PNG", micrograph(1, 500)), "too_small"),
    "a huge TIFF header": ("a.tif", huge_tiff, "too_large"),
    "a huge PNG header": ("a.png", huge_png, "too_large"),
    "a small bomb": ("a.tif", lambda: tiff(np.zeros((11_000, 11_000), np.uint8), compression="zlib"), "too_large"),
    "a bad frame in a stack": ("a.tif", lambda: tiff(np.stack([micrograph(), np.zeros((64, 80), np.uint8)])), "constant"),
}
