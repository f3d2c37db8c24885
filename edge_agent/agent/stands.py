"""How a stream stands by what operators ordered of it: which baseline is in force, what is acknowledged, what is held."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from edge_agent.drift.baseline import Rebase, rebased
from edge_agent.journal import operation
from edge_agent.pipeline import Desk

if TYPE_CHECKING:
    from edge_agent.drift import Calibration
    from edge_agent.journal import Baseline, Journal, Standing

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Stands:
    """A stream's baseline, None where its model has no calibration, and its desk."""

    calibration: Calibration | None
    desk: Desk


async def stands_by(journal: Journal, stream: str, calibration: Calibration | None) -> Stands:
    """Take up what operators ordered of the stream in earlier runs; `calibration` is its model's."""
    standing, kept, told = await journal.look(
        lambda connection: (
            operation.standing(connection, stream),
            operation.baselines(connection, stream),
            operation.open_episodes(connection, stream),
        )
    )
    found = in_force(standing, kept, calibration)
    if standing.baseline is not None and found is calibration:
        log.warning("the re-based baseline was made from another calibration; the present one is in force", stream=stream)
        standing = replace(standing, baseline=None, provisional=False)
    return Stands(found, Desk(standing, told))


def in_force(standing: Standing, kept: list[Baseline], calibration: Calibration | None) -> Calibration | None:
    """What the stream is judged by: the re-based baseline where it was made from this calibration, else the calibration itself."""
    made = next((baseline for baseline in kept if baseline.id == standing.baseline), None)
    if made is None or calibration is None:
        return calibration
    rebase = Rebase.model_validate_json(made.data)
    return rebased(calibration, rebase) if rebase.calibration == calibration.digest else calibration
