"""What a file says of how it was taken, gathered field by field, each with the tag that said it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.core.frame import Acquisition
from edge_agent.frames.page import Page

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEXT_LENGTH = 2000
"""How much of one further key's text is kept."""
MOST_EXTRA = 2000
"""How many further keys are kept."""


class Record:
    """Fields of an Acquisition and where they stand in the file; of several tags for one field the first that makes sense counts.

    Args:
        side_car: name of the file beside the image that the tags are read from; "" for the image itself.

    Attributes:
        bar_rows: rows of the data bar at the image's bottom.

    >>> record = Record()
    >>> record.take("acceleration_voltage_v", None, "[Beam] HV")
    >>> record.take("acceleration_voltage_v", 5000.0, "[EBeam] HV")
    >>> record.sources
    {'acceleration_voltage_v': '[EBeam] HV'}
    """

    def __init__(self, side_car: str = "") -> None:
        self.side_car = side_car
        self.bar_rows = 0
        self.sources: dict[str, str] = {}
        self._fields: dict[str, Any] = {}
        self._extra: dict[str, str] = {}

    def take(self, field: str, value: object, tag: str) -> None:
        """Keep what `tag` says of `field`, unless it says nothing or another tag came first."""
        if value is not None and field not in self._fields:
            self._fields[field] = value
            self.sources[field] = f"{self.side_car}: {tag}" if self.side_car else tag

    def also(self, key: str, value: object) -> None:
        """Keep a further key of the vendor's as text."""
        text = str(value).strip()
        if key and text and len(self._extra) < MOST_EXTRA:
            self._extra[key[:TEXT_LENGTH]] = text[:TEXT_LENGTH]

    def __bool__(self) -> bool:
        """Whether anything was found."""
        return bool(self._fields or self._extra)

    def acquisition(self) -> Acquisition:
        """All of it."""
        return Acquisition(**self._fields, extra=dict(self._extra))

    def page(self, values: NDArray[Any], bits: int | None = None) -> Page:
        """An image that was taken like this."""
        return Page(values, self.acquisition(), self.bar_rows, bits, dict(self.sources), self.side_car)


def text_of(value: object) -> str | None:
    """A text without quotes around it, or None for an empty one."""
    text = str(value).strip().strip('"').strip("\x00 ") if value is not None else ""
    return text or None
