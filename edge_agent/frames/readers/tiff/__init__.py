"""TIFF of every instrument: strips and tiles, stacks, colour, and what microscope vendors write into their tags."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

from edge_agent.frames.readers.tiff.directories import tiff_lacks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from edge_agent.frames.limits import DecodeLimits
    from edge_agent.frames.page import Page
    from edge_agent.frames.reader import Source

SIGNATURES = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


class TiffReader:
    """TIFF 6.0 and BigTIFF, by tifffile; a Reader."""

    name = "TIFF"
    suffixes = (".tif", ".tiff")
    rule = "every directory, strip and tile that its header names lies within the file"
    by_path = False
    library = "tifffile"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - a signature needs no name
        """By the first four bytes."""
        return head.startswith(SIGNATURES)

    def lacks(self, file: BinaryIO, size: int) -> bool:
        """Whether a directory, or a strip or tile that one names, lies beyond the end."""
        try:
            return tiff_lacks(file, size)
        except struct.error:
            return True

    def read(self, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Page]:
        """Every full-size image of the file."""
        from edge_agent.frames.readers.tiff.pages import read_tiff  # noqa: PLC0415 - a decoder loads only what its files need

        return read_tiff(source, limits, time_zone)


TIFF = TiffReader()
