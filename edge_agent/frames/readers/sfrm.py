"""Bruker frames, format 86 and 100: lines of 80 characters, pixels of one or two bytes, and tables of those that do not fit; by fabio.

Header and tables: SAINT/APEX user manuals, "Bruker frame file format". What the header promises is checked here before fabio sees it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, BinaryIO

from edge_agent.frames.reader import TooMuchError, needs
from edge_agent.frames.readers.counts import counted
from edge_agent.frames.readers.record import Record, text_of
from edge_agent.frames.readers.stored import check_shape, whole
from edge_agent.frames.readers.units import ANGSTROM_M, scaled, to_number, to_utc
from edge_agent.frames.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import tzinfo

    from edge_agent.frames.limits import DecodeLimits
    from edge_agent.frames.page import Page
    from edge_agent.frames.reader import Source

LINE, BLOCK = 80, 512
FIRST_BLOCKS = 5
"""Within these the header tells how long it is."""
MOST_BLOCKS = 2048
TABLE_STEP = 16
"""Format 100 pads its tables to this; an entry of format 86 is as long."""
WHEN = ("%d-%b-%Y %H:%M:%S", "%m/%d/%y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S")
UNKNOWN = {"unknown", "?", "$null"}


class SfrmReader:
    """Bruker SFRM; a Reader."""

    name = "Bruker SFRM"
    suffixes = (".sfrm",)
    rule = "its header, its pixels and its tables of overflows are as long as its header says"
    by_path = False
    library = "fabio"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - a signature needs no name
        """By the first line."""
        return head.startswith(b"FORMAT :") and head[8:LINE].strip() in {b"86", b"100"}

    def lacks(self, file: BinaryIO, size: int) -> bool:
        """Whether its last table, or without one its last pixel, lies beyond the end."""
        head = file.read(FIRST_BLOCKS * BLOCK)
        blocks = whole(_lines(head).get("HDRBLKS", ""))
        if blocks > MOST_BLOCKS:
            raise TooMuchError
        if len(head) < FIRST_BLOCKS * BLOCK or size < blocks * BLOCK:
            return True
        return size < blocks * BLOCK + sum(_lengths(_lines(head + file.read(max(0, blocks - FIRST_BLOCKS) * BLOCK))))

    def read(self, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Page]:
        """Its one image."""
        name, content = source.name, source.content
        header_bytes = whole(_lines(content[: FIRST_BLOCKS * BLOCK]).get("HDRBLKS", "")) * BLOCK
        if len(content) < max(FIRST_BLOCKS * BLOCK, header_bytes):
            refuse(name, "truncated", f"holds {len(content)} bytes, fewer than its header")
        keys = _lines(content[: min(header_bytes, MOST_BLOCKS * BLOCK)])
        check_shape(name, (_first(keys, "NROWS"), _first(keys, "NCOLS")), 4, limits)
        if _first(keys, "NPIXELB") not in {1, 2, 4}:
            refuse(name, "unsupported", f"holds pixels of {keys.get('NPIXELB', 'unstated')[:20]} bytes")
        if len(content) < header_bytes + sum(_lengths(keys)):
            refuse(name, "truncated", f"holds {len(content)} bytes, and its header promises {header_bytes + sum(_lengths(keys))}")
        record = _record(keys, time_zone)
        counts, tally = counted(_decoded(name, content, header_bytes, keys), record.saturated)
        yield record.page(counts, more=tally)


SFRM = SfrmReader()


def _decoded(name: str, content: bytes, header_bytes: int, keys: Mapping[str, str]) -> Any:
    try:
        from fabio.bruker100image import Bruker100Image  # noqa: PLC0415 - a decoder loads only what its files need
        from fabio.brukerimage import BrukerImage  # noqa: PLC0415
        from fabio.fabioutils import BytesIO  # noqa: PLC0415
    except ImportError:
        needs(name, "a Bruker frame", "fabio")
    logging.getLogger("fabio").setLevel(logging.CRITICAL)  # what it would warn of is told in the refusal
    header = content[:header_bytes].decode("ascii", "replace").replace("\ufffd", "?").encode("ascii")  # it reads no other letters
    image = Bruker100Image() if whole(keys.get("FORMAT", "")) == 100 else BrukerImage()
    return image.read(BytesIO(header + content[header_bytes:])).data


def _lines(header: bytes) -> dict[str, str]:
    """Its keys; the texts of one that comes several times stand one behind the other."""
    keys: dict[str, str] = {}
    for place in range(0, len(header) - LINE + 1, LINE):
        key, colon, value = header[place : place + LINE].decode("latin-1").partition(":")
        if colon and len(key) <= 7:
            keys[key.strip()] = f"{keys.get(key.strip(), '')} {value.strip()}".strip()
    return keys


def _first(keys: Mapping[str, str], key: str) -> int:
    return _numbers(keys, key, 1)[0]


def _numbers(keys: Mapping[str, str], key: str, count: int) -> list[int]:
    return ([whole(part) for part in keys.get(key, "").split()[:count]] + [0] * count)[:count]


def _lengths(keys: Mapping[str, str]) -> Iterator[int]:
    """Bytes of pixels, underflows and overflows."""
    pixel_bytes, underflow_bytes = _numbers(keys, "NPIXELB", 2)
    yield _first(keys, "NROWS") * _first(keys, "NCOLS") * pixel_bytes
    if whole(keys.get("FORMAT", "")) == 86:
        yield _first(keys, "NOVERFL") * TABLE_STEP
        return
    for count, size in zip(_numbers(keys, "NOVERFL", 3), (underflow_bytes, 2, 4), strict=True):
        yield -(-count * size // TABLE_STEP) * TABLE_STEP


def _record(keys: Mapping[str, str], time_zone: tzinfo | None) -> Record:
    record = Record()

    def text(key: str) -> str | None:
        found = text_of(keys.get(key))
        return None if found is None or found.lower() in UNKNOWN else found

    def number(key: str, place: int = 0) -> float | None:
        parts = keys.get(key, "").split()
        return to_number(parts[place]) if len(parts) > place else None

    record.take("acquired_at", to_utc(" ".join(keys.get("CREATED", "").split()), WHEN, time_zone), "CREATED")
    record.take("instrument", text("MODEL"), "MODEL")
    record.take("detector", text_of((text("DETTYPE") or "").partition(" ")[0]), "DETTYPE")
    record.take("sample_id", text("SAMPLE"), "SAMPLE")
    record.take("exposure_s", scaled(number("ELAPSDA"), 1), "ELAPSDA")
    record.take("exposure_s", scaled(number("CUMULAT"), 1), "CUMULAT")
    record.take("wavelength_m", scaled(number("WAVELEN"), ANGSTROM_M), "WAVELEN 1")
    record.take("detector_distance_m", scaled(number("DISTANC"), 1e-2), "DISTANC 1")
    column, row = number("CENTER"), number("CENTER", 1)
    record.take("beam_centre_px", None if column is None or row is None else f"{column:.9g} {row:.9g}", "CENTER 1, 2")
    record.saturated = scaled(number("CCDPARM", 4), 1)  # read noise, electrons per count, electrons per photon, bias, full scale
    record.take("saturation_counts", record.saturated, "CCDPARM 5")
    for key, value in keys.items():
        record.also(key, " ".join(value.split()))
    return record
