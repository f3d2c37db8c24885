"""One image of a TIFF, by tifffile, with what microscopes and ImageJ write into it and beside it."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import tifffile

from edge_agent.frames.readers.beside import read_beside
from edge_agent.frames.readers.counts import counted
from edge_agent.frames.readers.record import Record, text_of
from edge_agent.frames.readers.tescan import is_tescan, read_tescan
from edge_agent.frames.readers.tiff.detectors import TAGS, read_detector
from edge_agent.frames.readers.tiff.fei import read_fei
from edge_agent.frames.readers.tiff.imagej import BEGINS, read_imagej
from edge_agent.frames.readers.tiff.zeiss import find_zeiss_bar, read_zeiss
from edge_agent.frames.readers.units import to_utc
from edge_agent.frames.refusal import refuse

if TYPE_CHECKING:
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
LACKING = "requires the 'imagecodecs'"
"""What tifffile says of a compression that it has no library for."""

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it would warn of is told in the refusal


def page_at(tiff: Any, offset: int) -> Any:
    """What tifffile makes of the directory at `offset` of a file that it has open; raises anything at all."""
    if offset == tiff.pages.first.offset:
        return tiff.pages.first
    tiff.filehandle.seek(offset)
    return tifffile.TiffPage(tiff, index=1)  # of its number tifffile asks only whether it is the first


def planes_of(page: Any, limits: DecodeLimits) -> int:
    """How many images a directory holds: the planes of a volume are images of their own."""
    too_many = int(page.imagewidth) * int(page.imagelength) * int(page.imagedepth) > limits.frame_pixels
    if "Z" not in page.axes or not page.nbytes or too_many:
        return 1
    return math.prod(page.shape[: -_trailing(page)])


def _trailing(page: Any) -> int:
    """How many axes one image of a volume has."""
    return 3 if page.axes.endswith("S") else 2


def decoded(page: Any, name: str, where: str, limits: DecodeLimits) -> NDArray[Any]:
    """A directory's values as they are stored; sizes are checked against the file before anything is allocated.

    Args:
        page: the directory, as tifffile has it.
        name: the file's, for refusals.
        where: which image of several it is, "" of the only one.
        limits: what it may cost.
    """
    whose = f"{where}'s" if where else "its"
    width, length, depth = int(page.imagewidth), int(page.imagelength), int(page.imagedepth)
    if width * length * depth > limits.frame_pixels:
        refuse(name, "too_large", f"{whose} header says {width} x {length} pixels, {limits.frame_pixels} in all are allowed")
    needed = width * length * depth * int(page.samplesperpixel) * int(page.bitspersample) // 8
    if needed > limits.decoded_bytes:
        refuse(name, "too_large", f"{whose} header asks for {needed} bytes, {limits.decoded_bytes} are allowed")
    ends = [offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)]
    if not ends or max(ends) > page.parent.filehandle.size or (page.compression == 1 and sum(page.databytecounts) < needed):
        refuse(name, "truncated", f"{where} ends before its last row".lstrip())
    try:
        return page.asarray(maxworkers=1)  # type: ignore[no-any-return]
    except ValueError as error:
        if LACKING not in str(error):
            raise
    except ImportError:
        pass
    return _refuse_compression(page, name, where)


def check_compression(tiff: Any, offset: int, name: str) -> None:
    """Refuse the file when what the directory at `offset` is compressed by is not installed: its others will be likewise."""
    page = None
    try:
        page = page_at(tiff, offset)
        tifffile.TIFF.DECOMPRESSORS[page.compression]
    except KeyError as error:
        if LACKING in str(error):
            _refuse_compression(page, name, "")
    except Exception:  # noqa: BLE001 - what is wrong with it is told when it is read
        return


def _refuse_compression(page: Any, name: str, where: str) -> NoReturn:
    refuse(name, "unsupported", f"{where} is compressed by {getattr(page.compression, 'name', page.compression)}".lstrip())


def image_of(page: Any, values: NDArray[Any], plane: int, source: Source, time_zone: tzinfo | None) -> Page:
    """One image of a directory's values, and how it was taken; separate colour planes are brought together."""
    if values.ndim > _trailing(page) and "Z" in page.axes:
        values = values.reshape(-1, *values.shape[-_trailing(page) :])[plane]
    values = _coloured(page, values)
    bits = int(page.bitspersample)
    record = _vendor(page, values, source, time_zone)
    if page.axes.startswith("SY") and values.ndim == 3:
        values = np.moveaxis(values, 0, 2)
    counts, tally = counted(values, record.saturated)
    return record.page(counts, bits if bits not in {8, 16} else _significant_bits(page), tally)


def stored_image(page: Any, content: bytes, source: Source, time_zone: tzinfo | None) -> Page:
    """An image that lies behind the first of an ImageJ stack, which alone has a directory."""
    stored = np.dtype(page.dtype).newbyteorder(page.parent.byteorder)
    values = _coloured(page, np.frombuffer(content, stored).reshape(page.shape))
    record = _vendor(page, values, source, time_zone)
    counts, tally = counted(values, record.saturated)
    return record.page(counts, _significant_bits(page), tally)


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
    detector = read_detector({code: page.tags[code].value for code in TAGS & {tag.code for tag in page.tags}}, time_zone)
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
