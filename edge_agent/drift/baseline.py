"""Re-basing: the place and spread that samples are judged by from now on, on an operator's word; pure arithmetic.

The network's own calibration stays what it was: a re-base is always estimated against it, never against an earlier re-base, so that
no chain of small re-bases can creep. It changes what the judge holds for usual, not what a p-value or a referral means: the network
has not learnt anything by an operator's word.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge_agent.drift.components import ENTROPY_FLOOR
from edge_agent.drift.strata import UNRECORDED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.drift.calibration import Calibration, LotCalibration, Spread


class Move(BaseModel):
    """How one component of one lot has moved.

    Attributes:
        offset: of the centre, in the component's own unit.
        between: factor on the spread between samples.
        within: factor on the spread within a sample, and on a contrast within it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    offset: Annotated[float, Field(allow_inf_nan=False)]
    between: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    within: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Rebase(BaseModel):
    """What leads from a model's calibration to the one its judge uses.

    Attributes:
        calibration: digest of the calibration it belongs to.
        samples, frames: it was estimated from.
        stratum: the settings these showed, where the calibration does not say which it holds for.
        cells: moves by stratum, lot and component.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    calibration: str
    samples: int
    frames: int
    stratum: str
    cells: dict[str, dict[str, dict[str, Move]]]


def rebased(calibration: Calibration, rebase: Rebase) -> Calibration:
    """The calibration that a judge uses under `rebase`; its digest is the baseline's identity.

    Raises:
        ValueError: the re-base belongs to another calibration.
    """
    if rebase.calibration != calibration.digest:
        raise ValueError("the re-base belongs to another calibration")
    moved = {
        stratum: {name: _moved(lot, rebase.cells[stratum][name]) for name, lot in lots.items()}
        for stratum, lots in strata_of(calibration).items()
    }
    return calibration.model_copy(
        update={
            "lots": moved.pop(calibration.stratum),
            "stratum": rebase.stratum if tells_no_stratum(calibration) else calibration.stratum,
            "strata": moved,
            "source": f"{calibration.source}; re-based on {rebase.samples} samples",
        }
    )


def strata_of(calibration: Calibration) -> dict[str, Mapping[str, LotCalibration]]:
    """The calibrated lots by stratum."""
    return {calibration.stratum: calibration.lots, **calibration.strata}


def tells_no_stratum(calibration: Calibration) -> bool:
    """Whether the judge holds the calibration to be for the settings that most of the stream's frames show."""
    return calibration.stratum == UNRECORDED and not calibration.strata


def _moved(lot: LotCalibration, moves: Mapping[str, Move]) -> LotCalibration:
    spread = {name: _moved_spread(before, moves[name]) for name, before in lot.spread.items()}
    as_predicted = lot.spread_as_predicted
    if as_predicted is not None:
        as_predicted = {name: _moved_spread(before, moves[name]) for name, before in as_predicted.items()}

    def place(name: str, value: float) -> float:
        before, after = lot.spread[name], spread[name]
        factor = math.hypot(after.within, after.between) / math.hypot(before.within, before.between)
        return after.centre + (value - before.centre) * factor

    def nats(name: str, value: float) -> float:
        return max(0.0, math.exp(place(name, math.log(value + ENTROPY_FLOOR))) - ENTROPY_FLOOR)

    return lot.model_copy(
        update={
            "spread": spread,
            "spread_as_predicted": as_predicted,
            "distance": tuple(round(place("distance", value), 6) for value in lot.distance),
            "entropy": tuple(round(nats("entropy", value), 6) for value in lot.entropy),
            "mutual_information": tuple(round(nats("mutual_information", value), 6) for value in lot.mutual_information),
        }
    )


def _moved_spread(spread: Spread, move: Move) -> Spread:
    """What is known of the spread's own errors is kept as it was; the error of the centre grows with the spread."""
    return spread.model_copy(
        update={
            "centre": round(spread.centre + move.offset, 6),
            "within": round(spread.within * move.within, 6),
            "between": round(spread.between * move.between, 6),
            "contrast": round(spread.contrast * move.within, 6),
            "centre_error": round(spread.centre_error * max(1.0, move.between), 6),
        }
    )
