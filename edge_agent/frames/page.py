"""What every reader hands on: one stored image, not yet judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge_agent.core.frame import Acquisition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Axis:
    """What the points of a scan lie along, evenly.

    Attributes:
        quantity: such as "2theta".
        first, last: where the first and the last point lie.
        unit: such as "deg".
    """

    quantity: str
    first: float
    last: float
    unit: str


@dataclass(frozen=True, slots=True)
class Page:
    """One image of a file.

    Attributes:
        values: shape (height, width) or (height, width, channels); (points,) of a scan.
        acquisition: how it was taken.
        bar_rows: rows of the data bar at the bottom.
        bits: bits a pixel really uses, where the file says so.
        sources: where the file says what stands in a field of `acquisition`, such as "acceleration_voltage_v": "[EBeam] HV".
        side_car: name of the file beside it that told some of that, or "".
        axis: of a scan, what its points lie along.
    """

    values: NDArray[Any]
    acquisition: Acquisition = field(default_factory=Acquisition)
    bar_rows: int = 0
    bits: int | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    side_car: str = ""
    axis: Axis | None = None
