"""SER of TIA (Tecnai Imaging & Analysis): each element of a series is a frame; its .emi tells how they were taken, when it is there."""

from __future__ import annotations

import contextlib
import io
import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from edge_agent.frames.page import Axis
from edge_agent.frames.reader import Stack, all_pages
from edge_agent.frames.readers.record import Record
from edge_agent.frames.readers.ser.series import (
    IMAGES,
    SIGNATURE,
    SPECTRA,
    TIME_AND_PLACE,
    TIME_ONLY,
    parse_series,
    read_element,
    series_lacks,
)
from edge_agent.frames.refusal import refuse
from edge_agent.frames.share import open_shared

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from edge_agent.frames.limits import DecodeLimits
    from edge_agent.frames.page import Page
    from edge_agent.frames.reader import Source
    from edge_agent.frames.readers.ser.series import Series

HEADER_BYTES = 30
LARGEST_PIXEL_M = 1e-3
"""The largest step of an image's axis that can be a length; a diffraction pattern's is in 1/m."""


class SerReader:
    """SER; a StackReader."""

    name = "SER"
    suffixes = (".ser",)
    rule = "every element that its header counts as valid, and each one's tag, lies within the file"
    by_path = True
    library = ""

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - a signature needs no name
        """By the byte order, the series' number and the kind of data: astronomers' SER begins otherwise."""
        return head.startswith(SIGNATURE) and head[6:10] in {struct.pack("<i", kind) for kind in (SPECTRA, IMAGES)}

    def lacks(self, file: BinaryIO, size: int) -> bool:
        """Whether an element is missing."""
        return series_lacks(file, size)

    @contextlib.contextmanager
    def stack(self, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Stack]:
        """Its elements, read one by one from the file."""
        from edge_agent.frames.readers.ser.emi import read_emi  # noqa: PLC0415 - looks need no XML

        with io.BufferedReader(open_shared(source.path)) as file:  # a share may give less than is asked for
            series = parse_series(file.read(HEADER_BYTES) or b"")
            if series is None:
                refuse(source.name, "decoder_failed", "has a header that makes no sense")

            beside = read_emi(source, time_zone)
            yield Stack(series.valid, lambda place: _page(file, series, place, source.name, limits, beside))

    read = all_pages


SER = SerReader()


def _page(file: BinaryIO, series: Series, place: int, name: str, limits: DecodeLimits, beside: Record) -> Page:
    where = f"frame {place}"
    try:
        element = read_element(file, series, series.place_of(file, place))
    except struct.error:
        refuse(name, "truncated", f"ends before {where}")
    if element is None:
        refuse(name, "decoder_failed", f"{where} has a header that makes no sense")
    if np.dtype(element.dtype).kind == "c":
        refuse(name, "unsupported", f"{where} holds complex numbers, and the models look at grey images")
    if np.prod(element.shape, dtype=np.float64) > limits.frame_pixels:
        size = " x ".join(map(str, reversed(element.shape)))
        refuse(name, "too_large", f"{where} says that it has {size} pixels, {limits.frame_pixels} in all are allowed")
    content = file.read(element.end - element.begin)
    if len(content) < element.end - element.begin:
        refuse(name, "truncated", f"ends within {where}")
    values = np.frombuffer(content, element.dtype).reshape(element.shape)
    record, axis = Record(), None
    _read_tag(file, series, place, record)
    if series.data_kind == SPECTRA:
        first = element.origin - element.origin_at * element.step
        axis = Axis("energy", first, first + (len(values) - 1) * element.step, "eV")
    else:
        values = values[::-1]  # TIA stores the bottom row first
        if 0 < element.step < LARGEST_PIXEL_M:
            record.take("pixel_size_m", float(f"{element.step:.12g}"), "CalibrationDeltaX")
    record.add(beside)
    return record.page(values, axis=axis)


def _read_tag(file: BinaryIO, series: Series, place: int, record: Record) -> None:
    """When the element was taken, seconds since 1970 in UTC, and where the beam stood."""
    try:
        file.seek(max(series.place_of(file, place, tag=True), 0))
        kind, seconds = struct.unpack("<HxxI", file.read(8))
        x, y = struct.unpack("<2d", file.read(16)) if kind == TIME_AND_PLACE else (None, None)
    except struct.error:
        return
    if kind in {TIME_ONLY, TIME_AND_PLACE} and seconds:
        record.take("acquired_at", datetime.fromtimestamp(seconds, UTC), "tag Time")
    record.take("scan_x_m", x, "tag PositionX")
    record.take("scan_y_m", y, "tag PositionY")
