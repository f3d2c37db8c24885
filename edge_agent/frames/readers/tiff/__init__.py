"""TIFF of every instrument: strips and tiles, stacks, colour, and what microscope vendors write into their tags."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

from edge_agent.frames.reader import all_pages
from edge_agent.frames.readers.tiff.directories import tiff_lacks

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import tzinfo

    from edge_agent.frames.limits import DecodeLimits
    from edge_agent.frames.reader import Source, Stack

SIGNATURES = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


class TiffReader:
    """TIFF 6.0 and BigTIFF, by tifffile; a StackReader."""

    name = "TIFF"
    suffixes = (".tif", ".tiff")
    rule = "every directory, strip and tile that its header names lies within the file"
    by_path = True
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

    def stack(self, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> AbstractContextManager[Stack]:
        """Every full-size image of the file."""
        from edge_agent.frames.readers.tiff.stack import open_stack  # noqa: PLC0415 - a decoder loads only what its files need

        return open_stack(source, limits, time_zone)

    read = all_pages


TIFF = TiffReader()
