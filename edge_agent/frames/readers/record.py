"""What a file says of how it was taken, gathered field by field, each with the tag that said it."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from edge_agent.core.frame import Acquisition
from edge_agent.frames.page import Page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge_agent.frames.page import Axis

TEXT_LENGTH = 2000
"""How much of one further key's text is kept."""
MOST_TEXT = 1 << 16
"""How many characters of further keys and their texts are kept: they pass to the agent with every frame."""
COLUMNS = frozenset(field.name for field in dataclasses.fields(Acquisition)) - {"extra"}


class Record:
    """Fields of an Acquisition and where they stand in the file; of several tags for one field the first that makes sense counts.

    Common terms for which an Acquisition has no field go into its `extra`. X-ray detectors tell `exposure_s`, `wavelength_m`,
    `detector_distance_m`, `beam_centre_px` (column, row), `saturation_counts`, `masked_pixels`, `saturated_pixels`; scans of patterns
    `scan_index`, `scan_row`, `scan_column`, `scan_x_m`, `scan_y_m`.

    Args:
        side_car: name of the file beside the image that the tags are read from; "" for the image itself.

    Attributes:
        bar_rows: rows of the data bar at the image's bottom.
        saturated: the count from which on a detector's pixel is saturated.

    >>> record = Record()
    >>> record.take("acceleration_voltage_v", None, "[Beam] HV")
    >>> record.take("acceleration_voltage_v", 5000.0, "[EBeam] HV")
    >>> record.sources
    {'acceleration_voltage_v': '[EBeam] HV'}
    """

    def __init__(self, side_car: str = "") -> None:
        self.side_car = side_car
        self.bar_rows = 0
        self.saturated: float | None = None
        self.sources: dict[str, str] = {}
        self._fields: dict[str, Any] = {}
        self._extra: dict[str, str] = {}
        self._left = MOST_TEXT

    def take(self, field: str, value: object, tag: str) -> None:
        """Keep what `tag` says of `field`, unless it says nothing or another tag came first."""
        if value is None or field in self.sources or (isinstance(value, float) and not math.isfinite(value)):
            return
        if field in COLUMNS:
            self._fields[field] = value
        else:
            self._extra[field] = f"{value:.9g}" if isinstance(value, float) else str(value)
        self.sources[field] = f"{self.side_car}: {tag}" if self.side_car else tag

    def also(self, key: str, value: object) -> None:
        """Keep a further key of the vendor's as text."""
        key, text = key[:TEXT_LENGTH], str(value).strip()[:TEXT_LENGTH]
        if key and text and key not in self.sources and len(key) + len(text) <= self._left:
            self._extra[key] = text
            self._left -= len(key) + len(text)

    def add(self, other: Record) -> None:
        """Take from another record, such as a side-car's, what this one does not tell."""
        for field, tag in other.sources.items():
            if field not in self.sources:
                kept = self._fields if field in COLUMNS else self._extra
                kept[field] = (other._fields if field in COLUMNS else other._extra)[field]
                self.sources[field] = tag
                self.side_car = other.side_car
        for key, text in other._extra.items():
            self.also(key, text)

    def __bool__(self) -> bool:
        """Whether anything was found."""
        return bool(self._fields or self._extra)

    def acquisition(self, more: Mapping[str, str] | None = None) -> Acquisition:
        """All of it, and `more` that was found while one image was read."""
        return Acquisition(**self._fields, extra={**self._extra, **(more or {})})

    def page(self, values: NDArray[Any], bits: int | None = None, more: Mapping[str, str] | None = None, axis: Axis | None = None) -> Page:
        """An image or a scan that was taken like this; `more` as in `acquisition`."""
        return Page(values, self.acquisition(more), self.bar_rows, bits, dict(self.sources), self.side_car, axis)


def text_of(value: object) -> str | None:
    """A text without quotes, or None for an empty one."""
    text = str(value).replace('"', "").strip("\x00 \t\r\n") if value is not None else ""
    return text or None
