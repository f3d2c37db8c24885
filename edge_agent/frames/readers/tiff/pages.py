"""TIFF, by tifffile, with what Zeiss and FEI/Thermo microscopes write into it."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from edge_agent.core.frame import Acquisition
from edge_agent.frames.page import Page
from edge_agent.frames.readers.tiff.fei import read_fei
from edge_agent.frames.readers.tiff.zeiss import find_zeiss_bar, read_zeiss
from edge_agent.frames.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from numpy.typing import NDArray

    from edge_agent.frames.limits import DecodeLimits

ZEISS = 34118
FEI = (34682, 34680)
COLOUR_MAP = 320
THUMBNAIL_SHARE = 2
"""An image less than half as wide as the first is its thumbnail, even where it does not say so."""

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it would warn of is told in the refusal


def read_tiff(content: bytes, name: str, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Page]:
    """Every full-size image of the file; sizes are checked against the file before anything is allocated."""
    with tifffile.TiffFile(io.BytesIO(content)) as tiff:
        first_width = 0
        for number, page in enumerate(tiff.pages):
            if number >= limits.frames * 2:
                refuse(name, "too_large", f"holds more than {limits.frames * 2} images")
            if page.is_reduced or page.is_mask:
                continue
            width = int(page.imagewidth)
            if first_width and width * THUMBNAIL_SHARE < first_width:
                continue
            first_width = first_width or width
            yield from _read_page(page, name, limits, len(content), time_zone)


def _read_page(page: Any, name: str, limits: DecodeLimits, file_bytes: int, time_zone: tzinfo | None) -> Iterator[Page]:
    width, length, depth = int(page.imagewidth), int(page.imagelength), int(page.imagedepth)
    if width * length * depth > limits.frame_pixels:
        refuse(name, "too_large", f"its header says {width} x {length} pixels, {limits.frame_pixels} in all are allowed")
    needed = width * length * depth * int(page.samplesperpixel) * int(page.bitspersample) // 8
    if needed > limits.decoded_bytes:
        refuse(name, "too_large", f"its header asks for {needed} bytes, {limits.decoded_bytes} are allowed")
    ends = [offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)]
    if not ends or max(ends) > file_bytes or (page.compression == 1 and sum(page.databytecounts) < needed):
        refuse(name, "truncated", "ends before its last row")
    try:
        values = page.asarray(maxworkers=1)
    except ValueError as error:
        if "requires the 'imagecodecs'" in str(error):
            refuse(name, "unsupported", f"is compressed by {getattr(page.compression, 'name', page.compression)}")
        raise
    except ImportError:
        refuse(name, "unsupported", f"is compressed by {getattr(page.compression, 'name', page.compression)}")
    values, axes = _coloured(page, values), page.axes
    acquisition, bar_rows, bits = _vendor(page, values, time_zone)
    for image in _images(values, axes):
        yield Page(image, acquisition, bar_rows, bits)


def _images(values: NDArray[Any], axes: str) -> Iterator[NDArray[Any]]:
    """Planes of a volume are frames of their own; separate colour planes are brought together."""
    if values.ndim <= 2 or (values.ndim == 3 and values.shape[2] <= 4 and axes[:1] != "S"):
        yield values
    elif axes.startswith("S") and values.ndim == 3:
        yield np.moveaxis(values, 0, 2)
    else:
        trailing = 3 if axes.endswith("S") else 2
        yield from values.reshape(-1, *values.shape[-trailing:])


def _coloured(page: Any, values: NDArray[Any]) -> NDArray[Any]:
    """Palettes looked up, white-is-zero turned round, 2 and 4 bits spread over 8."""
    photometric, bits = int(page.photometric), int(page.bitspersample)
    if photometric == 0 and values.dtype.kind == "b":
        values = np.logical_not(values)
    elif photometric == 0 and values.dtype.kind == "u":
        values = (2**bits - 1 - values).astype(values.dtype)
    elif photometric == 3 and COLOUR_MAP in page.tags:
        colours = np.asarray(page.tags[COLOUR_MAP].value)
        if colours.ndim == 2 and len(colours) == 3:
            palette: NDArray[np.uint8] = (colours >> 8).astype(np.uint8)
            grey = (palette == palette[0]).all()
            looked_up: NDArray[np.uint8] = np.take(palette[0] if grey else palette.T, values, axis=0)
            return looked_up
    if values.dtype.kind == "u" and bits in {2, 4} and values.ndim == 2:
        values = (values.astype(np.uint16) * 255 // (2**bits - 1)).astype(np.uint8)
    return values


def _vendor(page: Any, values: NDArray[Any], time_zone: tzinfo | None) -> tuple[Acquisition, int, int | None]:
    """Acquisition, rows of the data bar, bits used; a vendor tag that makes no sense is as good as none."""
    bits = int(page.bitspersample)
    used = bits if bits not in {8, 16} else _significant_bits(page)
    fei = next((page.tags[tag].value for tag in FEI if tag in page.tags), None)
    if isinstance(fei, dict):
        acquisition, bar_rows = read_fei(fei, values.shape[0], time_zone)
        return acquisition, bar_rows, used
    zeiss = page.tags[ZEISS].value if ZEISS in page.tags else None
    if isinstance(zeiss, dict):
        return read_zeiss(zeiss, time_zone), find_zeiss_bar(values), used
    extra = {
        keyword: str(page.tags[code].value)[:2000]
        for code, keyword in ((270, "ImageDescription"), (271, "Make"), (272, "Model"), (305, "Software"))
        if code in page.tags and isinstance(page.tags[code].value, str)
    }
    return Acquisition(extra=extra), 0, used


def _significant_bits(page: Any) -> int | None:
    """12 bit stored in 16: MaxSampleValue (281) says so."""
    most = page.tags[281].value if 281 in page.tags else None
    return most.bit_length() if isinstance(most, int) and most > 0 and (most & (most + 1)) == 0 else None
