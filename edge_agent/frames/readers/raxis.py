"""Rigaku R-AXIS image plates: a binary header of one record, then big-endian 16-bit pixels whose highest bit multiplies; by fabio.

Header: Rigaku's "R-AXIS image file header" (offsets in bytes below).
"""

from __future__ import annotations

import logging
import struct
from typing import TYPE_CHECKING, Any, BinaryIO

from edge_agent.frames.reader import needs
from edge_agent.frames.readers.counts import counted
from edge_agent.frames.readers.record import Record
from edge_agent.frames.readers.stored import check_shape
from edge_agent.frames.readers.units import ANGSTROM_M, scaled
from edge_agent.frames.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from edge_agent.frames.limits import DecodeLimits
    from edge_agent.frames.page import Page
    from edge_agent.frames.reader import Source

SIGNATURES = (b"RAXIS", b"R-AXIS")
HEADER_BYTES = 1400
WAVELENGTH_A, DISTANCE_MM, EXPOSURE_MIN, BEAM_PX, PIXELS, PIXEL_MM, RECORD_BYTES = 292, 344, 536, 540, 768, 776, 784


class RaxisReader:
    """R-AXIS; a Reader."""

    name = "R-AXIS"
    suffixes = (".osc",)
    rule = "the pixels that its header states are there, behind one record of header"
    by_path = False
    library = "fabio"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - a signature needs no name
        """By the instrument's name, which comes first."""
        return head.startswith(SIGNATURES)

    def lacks(self, file: BinaryIO, size: int) -> bool:
        """Whether the last pixel lies beyond the end; raises struct.error for a header cut short."""
        begins, width, height = _layout(file.read(HEADER_BYTES))
        return size < begins + 2 * max(0, width) * max(0, height)

    def read(self, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Page]:  # noqa: ARG002 - its date has no time
        """Its one image."""
        name, content = source.name, source.content
        begins, width, height = _layout(content[:HEADER_BYTES])
        check_shape(name, (height, width), 4, limits)
        ends = begins + 2 * width * height
        if len(content) < ends:
            refuse(name, "truncated", f"holds {len(content)} bytes, and its header promises {ends}")
        counts, tally = counted(_decoded(name, content[:ends]))
        yield _record(content).page(counts, more=tally)


RAXIS = RaxisReader()


def _layout(header: bytes) -> tuple[int, int, int]:
    """Where the pixels begin, how many there are across and down."""
    width, height = struct.unpack_from(">ii", header, PIXELS)
    (record_bytes,) = struct.unpack_from(">i", header, RECORD_BYTES)
    return max(HEADER_BYTES, record_bytes), width, height


def _decoded(name: str, content: bytes) -> Any:
    try:
        from fabio.fabioutils import BytesIO  # noqa: PLC0415 - a decoder loads only what its files need
        from fabio.raxisimage import RaxisImage  # noqa: PLC0415
    except ImportError:
        needs(name, "an R-AXIS image", "fabio")
    logging.getLogger("fabio").setLevel(logging.CRITICAL)  # what it would warn of is told in the refusal
    return RaxisImage().read(BytesIO(content)).data


def _record(header: bytes) -> Record:
    record = Record()

    def number(place: int) -> float:
        (found,) = struct.unpack_from(">f", header, place)
        return float(found)

    record.take("instrument", header[:10].decode("latin-1").strip("\0 ") or None, "instrument type")
    record.take("pixel_size_m", scaled(float(f"{number(PIXEL_MM):.7g}"), 1e-3), "x pixel length")
    record.take("exposure_s", scaled(float(f"{number(EXPOSURE_MIN):.7g}"), 60), "exposure time")
    record.take("wavelength_m", scaled(float(f"{number(WAVELENGTH_A):.7g}"), ANGSTROM_M), "wavelength")
    record.take("detector_distance_m", scaled(float(f"{number(DISTANCE_MM):.7g}"), 1e-3), "crystal-to-detector distance")
    record.take("beam_centre_px", f"{number(BEAM_PX):.7g} {number(BEAM_PX + 4):.7g}", "direct beam position")
    return record
