"""What a file says of how a frame was taken, gathered term by term, each with where in the file it stood."""

from __future__ import annotations

import dataclasses
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from edge_agent.core.frame import Acquisition
from edge_agent.frames.readers.units import to_utc

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

COLUMNS = frozenset(field.name for field in dataclasses.fields(Acquisition)) - {"extra"}
ANGSTROM_M = 1e-10
LONGEST_KEY, LONGEST_VALUE, MOST_CHARACTERS = 100, 1000, 16_384
"""Of the vendor's own keys; a frame's metadata pass to the agent with each of its frames."""


class Told:
    """Gathers an Acquisition.

    What has no column there goes into `extra`, under common terms for X-ray detectors: `exposure_s`, `wavelength_m`, `detector_distance_m`,
    `beam_centre_px` (column, row), `saturation_counts`, `masked_pixels`, `saturated_pixels`; and the vendor's own keys as they are.

    Args:
        vendor: the file's own keys and values.
    """

    def __init__(self, vendor: Mapping[str, str]) -> None:
        self._extra: dict[str, str] = {}
        left = MOST_CHARACTERS
        for key, value in vendor.items():
            kept, said = key[:LONGEST_KEY], value[:LONGEST_VALUE]
            left -= len(kept) + len(said)
            if left < 0:
                break
            if said:
                self._extra[kept] = said
        self._columns: dict[str, Any] = {}
        self.sources: dict[str, str] = {}

    def put(self, term: str, value: datetime | str | float | None, where: str) -> None:
        """Take a value, unless it is unknown or an earlier place told it; `where` names the key it stood under."""
        if value is None or value == "" or term in self.sources or (isinstance(value, float) and not math.isfinite(value)):
            return
        if term in COLUMNS:
            self._columns[term] = value
        else:
            self._extra[term] = f"{value:.9g}" if isinstance(value, float) else str(value)
        self.sources[term] = where

    def acquisition(self, **more: str) -> Acquisition:
        """All that was told, and `more` that was found out while the pixels were read."""
        return Acquisition(**self._columns, extra={**self._extra, **more})


def scaled(value: float | None, factor: float) -> float | None:
    """A value in another unit, without the digits that binary fractions add; None of None.

    >>> scaled(14.808, 1e-3)
    0.014808
    """
    return None if value is None else float(f"{value * factor:.12g}")


def positive(value: float | None) -> float | None:
    """A value above zero; detectors write 0 or -1 for what they do not know."""
    return value if value is not None and value > 0 else None


def moment(text: str, forms: tuple[str, ...], time_zone: tzinfo | None) -> datetime | None:
    """A time in UTC from ISO 8601, whose own zone counts, or from local text of one of `forms`; None for anything else."""
    try:
        stated = datetime.fromisoformat(text.strip())
    except ValueError:
        return to_utc(text, forms, time_zone)
    try:
        return (stated if stated.tzinfo else stated.replace(tzinfo=time_zone or UTC)).astimezone(UTC)
    except (OverflowError, ValueError):
        return None
