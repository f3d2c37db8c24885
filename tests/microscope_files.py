"""Files of electron microscopes' formats, written from the formats' descriptions and not by what reads them."""

from __future__ import annotations

import struct
from typing import Any

MRC_MODES = {"i1": 0, "i2": 1, "f4": 2, "u2": 6, "f2": 12}


def mrc(
    planes: Any,
    order: str = "<",
    mode: int | None = None,
    extended: bytes = b"",
    kind: bytes = b"",
    stamp: bytes = b"MAP ",
    group: int = 0,
    imod_flags: int | None = None,
    **dimensions: int,
) -> bytes:
    """MRC2014: `planes` of shape (sections, rows, columns), 2 Angstrom a pixel."""
    sections, rows, columns = planes.shape
    head = bytearray(1024)
    said = {"columns": columns, "rows": rows, "sections": sections, **dimensions}
    number = MRC_MODES.get(f"{planes.dtype.kind}{planes.dtype.itemsize}", 0) if mode is None else mode
    struct.pack_into(f"{order}4i", head, 0, said["columns"], said["rows"], said["sections"], number)
    struct.pack_into(f"{order}3i", head, 28, columns, rows, sections)
    struct.pack_into(f"{order}3f", head, 40, 2.0 * columns, 2.0 * rows, 2.0 * sections)
    struct.pack_into(f"{order}2i", head, 88, group, len(extended))
    head[104:108] = kind.ljust(4, b"\0")
    if imod_flags is not None:
        struct.pack_into(f"{order}2i", head, 152, 1146047817, imod_flags)
    if stamp:
        head[208:212] = stamp
        head[212:216] = b"\x44\x44\0\0" if order == "<" else b"\x11\x11\0\0"
    struct.pack_into(f"{order}i", head, 220, 1)
    head[224:235] = b"first label"
    return bytes(head) + extended + planes.astype(planes.dtype.newbyteorder(order)).tobytes()


def fei_part(order: str = "<", length: int = 768, voltage: float = 300e3, **doubles: float) -> bytes:
    """One section's part of FEI's extended header; `doubles` by the names of the places below."""
    places = {"timestamp": 12, "stage_x": 116, "stage_y": 124, "pixel_size": 156, "magnification": 289, "dwell": 571}
    part = bytearray(length)
    struct.pack_into(f"{order}2i", part, 0, length, 0)
    struct.pack_into("<I", part, 8, 1 | 1 << 5 | 1 << 9 | 1 << 10 | 1 << 14)
    struct.pack_into(f"{order}d", part, 84, voltage)
    for name, value in doubles.items():
        struct.pack_into(f"{order}d", part, places[name], value)
    struct.pack_into(f"{order}i", part, 244, 2)
    part[20:26], part[435:439], part[519:522] = b"Krios ", b"Ceta", b"BF\0"
    return bytes(part)
