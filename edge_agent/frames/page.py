"""What every reader hands on: one stored image, not yet judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge_agent.core.frame import Acquisition

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Page:
    """One image of a file.

    Attributes:
        values: shape (height, width) or (height, width, channels).
        acquisition: how it was taken.
        bar_rows: rows of the data bar at the bottom.
        bits: bits a pixel really uses, where the file says so.
    """

    values: NDArray[Any]
    acquisition: Acquisition = field(default_factory=Acquisition)
    bar_rows: int = 0
    bits: int | None = None
