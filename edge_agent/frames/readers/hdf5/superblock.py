"""The first bytes of an HDF5 file, by its specification ("HDF5 File Format Specification Version 3.0", II.A); no library is needed.

They say how long the file is, and whether some program has it open to write: versions 0 to 2 cannot say the latter.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

SIGNATURE = b"\x89HDF\r\n\x1a\n"
PLACES = (0, 512)
"""Where the signature may stand within the bytes that tell a format; a user block may come before it."""
LONGEST = 112
WRITE_ACCESS, SWMR_ACCESS = 0x01, 0x04


@dataclass(frozen=True, slots=True)
class Superblock:
    """What the superblock says.

    Attributes:
        version: of the superblock.
        end: where the file's data end, bytes.
        open_to_write: whether a program has the file open to write, or ended without closing it.
        readable_meanwhile: whether it then keeps it so that others can read it: single writer, multiple readers (SWMR).
    """

    version: int
    end: int
    open_to_write: bool
    readable_meanwhile: bool


def place_of(head: bytes) -> int | None:
    """Where the superblock begins; None of a file that is no HDF5."""
    return next((place for place in PLACES if head[place : place + len(SIGNATURE)] == SIGNATURE), None)


def parse(head: bytes) -> Superblock:
    """The superblock that begins with `head`; raises struct.error for one that is cut short, or makes no sense."""
    if len(head) < 16:
        raise struct.error("a superblock cut short")
    version = head[8]
    if version > 3:
        raise struct.error(f"version {version} of the superblock")
    if version >= 2:
        width, flags, addresses = head[9], head[11], 12
    else:
        width, addresses = head[13], 24 if version == 0 else 28
        flags = 0
    begin = addresses + 2 * width  # base, then the free space's or the extension's address
    if width not in {2, 4, 8} or len(head) < begin + width:
        raise struct.error("a superblock cut short")
    end = int.from_bytes(head[begin : begin + width], "little")
    is_open = version == 3 and bool(flags & WRITE_ACCESS)
    return Superblock(version, end, is_open, is_open and bool(flags & SWMR_ACCESS))
