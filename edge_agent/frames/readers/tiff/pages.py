"""TIFF, by tifffile, with what microscopes and ImageJ write into it and beside it."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from edge_agent.frames.reader import TooMuchError
from edge_agent.frames.readers.beside import read_beside
from edge_agent.frames.readers.counts import counted
from edge_agent.frames.readers.record import Record, text_of
from edge_agent.frames.readers.tescan import is_tescan, read_tescan
from edge_agent.frames.readers.tiff.detectors import TAGS, read_detector
from edge_agent.frames.readers.tiff.directories import tiff_lacks
from edge_agent.frames.readers.tiff.fei import read_fei
from edge_agent.frames.readers.tiff.imagej import BEGINS, images_said, read_imagej
from edge_agent.frames.readers.tiff.zeiss import find_zeiss_bar, read_zeiss
from edge_agent.frames.readers.units import to_utc
from edge_agent.frames.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from numpy.typing import NDArray

    from edge_agent.frames.limits import DecodeLimits
    from edge_agent.frames.page import Page
    from edge_agent.frames.reader import Source

ZEISS = 34118
FEI = (34682, 34680)
TESCAN = 50431
COLOUR_MAP = 320
DESCRIPTION, MAKE, MODEL, X_RESOLUTION, SOFTWARE, WHEN = 270, 271, 272, 282, 305, 306
TIFF_WHEN = ("%Y:%m:%d %H:%M:%S",)
THUMBNAIL_SHARE = 2
"""An image less than half as wide as the first is its thumbnail, even where it does not say so."""

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it would warn of is told in the refusal


def read_tiff(source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Page]:
    """Every full-size image of the file; sizes are checked against the file before anything is allocated."""
    name = source.name
    with tifffile.TiffFile(io.BytesIO(source.content)) as tiff:
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
            yield from _read_page(page, source, limits, time_zone)
        if _chain_is_cut(source.content):  # what tifffile leaves out without a word
            refuse(name, "truncated", "ends before its last directory")
        if len(tiff.pages) == 1:
            yield from _rest_of_stack(tiff.pages[0], source, limits, time_zone)


def _chain_is_cut(content: bytes) -> bool:
    try:
        return tiff_lacks(io.BytesIO(content), len(content))
    except TooMuchError:
        return False


def _read_page(page: Any, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Page]:
    name, file_bytes = source.name, len(source.content)
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
    bits = int(page.bitspersample)
    record = _vendor(page, values, source, time_zone)
    for image in _images(values, axes):
        counts, tally = counted(image, record.saturated)
        yield record.page(counts, bits if bits not in {8, 16} else _significant_bits(page), tally)


def _rest_of_stack(page: Any, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Page]:
    """The images that follow the first of an ImageJ stack, which alone has a directory."""
    said = images_said(str(page.description).encode("utf-8", "replace"))
    if said == 1 or page.compression != 1 or page.samplesperpixel != 1 or not page.is_contiguous:
        return
    begin, length = int(page.dataoffsets[0]), int(page.nbytes)
    if page.offset > begin or len(source.content) <= begin + length:
        return
    if said > limits.frames:
        refuse(source.name, "too_large", f"holds {said} images, {limits.frames} are allowed")
    if begin + said * length > len(source.content):
        refuse(source.name, "truncated", f"ends before the last of its {said} images")
    stored = np.dtype(page.dtype).newbyteorder(page.parent.byteorder)
    for index in range(1, said):
        values = np.frombuffer(source.content, stored, length // stored.itemsize, begin + index * length)
        values = _coloured(page, values.reshape(page.shape))
        record = _vendor(page, values, source, time_zone)
        counts, tally = counted(values, record.saturated)
        yield record.page(counts, _significant_bits(page), tally)


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


def _vendor(page: Any, values: NDArray[Any], source: Source, time_zone: tzinfo | None) -> Record:
    """What a vendor's tags say, else a side-car, else TIFF's own tags; tags that make no sense are as good as none."""
    rows, columns = int(page.imagelength), int(page.imagewidth)
    fei = next((page.tags[tag].value for tag in FEI if tag in page.tags), None)
    if isinstance(fei, dict):
        return read_fei(fei, rows, time_zone)
    zeiss = page.tags[ZEISS].value if ZEISS in page.tags else None
    if isinstance(zeiss, dict):
        record = read_zeiss(zeiss, time_zone)
        record.bar_rows = find_zeiss_bar(values)
        return record
    tescan = _bytes(page.tags[TESCAN].value) if TESCAN in page.tags else b""
    if is_tescan(tescan):
        return read_tescan(tescan, rows, time_zone)
    texts = {
        code: page.tags[code].value
        for code in (DESCRIPTION, MAKE, MODEL, SOFTWARE, WHEN)
        if code in page.tags and isinstance(page.tags[code].value, str)
    }
    description = texts.get(DESCRIPTION, "")
    detector = read_detector({code: page.tags[code].value for code in TAGS if code in page.tags}, time_zone)
    if detector is not None:
        return detector
    if description.startswith(BEGINS):
        record = read_imagej(description, page.tags[X_RESOLUTION].value if X_RESOLUTION in page.tags else None)
    else:
        record = read_beside(source, (rows, columns), time_zone)
    if texts.get(MAKE, "").upper().startswith("JEOL"):
        record.take("instrument", text_of(texts.get(MODEL)), "Model")
        record.take("acquired_at", to_utc(texts.get(WHEN, ""), TIFF_WHEN, time_zone), "DateTime")
    for code, keyword in ((DESCRIPTION, "ImageDescription"), (MAKE, "Make"), (MODEL, "Model"), (SOFTWARE, "Software")):
        record.also(keyword, texts.get(code, ""))
    return record


def _bytes(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    return value if isinstance(value, bytes) else b""


def _significant_bits(page: Any) -> int | None:
    """12 bit stored in 16: MaxSampleValue (281) says so."""
    most = page.tags[281].value if 281 in page.tags else None
    return most.bit_length() if isinstance(most, int) and most > 0 and (most & (most + 1)) == 0 else None
