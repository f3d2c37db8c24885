"""The frames of a condition, as the journal remembers them: since when, and each one's components."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from edge_agent.core.frame import AcquisitionStatistics
from edge_agent.core.prediction import Score
from edge_agent.core.verdict import DriftState, Kind
from edge_agent.drift.baseline import tells_no_stratum
from edge_agent.drift.components import component_values
from edge_agent.drift.faults import is_blind
from edge_agent.drift.rebasing import BaselineFrame
from edge_agent.drift.strata import UNRECORDED
from edge_agent.drift.tables import LotTable
from edge_agent.journal import operation

if TYPE_CHECKING:
    import sqlite3

    from edge_agent.drift import Calibration
    from edge_agent.journal import Journal

FIELDS = (
    "sample", "lot", "declared_lot", "drift_state", "model_digest", "members_answering", "members_expected",
    "entropy", "mutual_information", "distance", "intensity_mean", "log_sigma", "log_noise", "log_sharpness",
    "low_fraction", "high_fraction", "stratum",
)  # fmt: skip


ALARMED = frozenset({DriftState.ALARM, DriftState.ACKNOWLEDGED})


@dataclass(frozen=True, slots=True)
class Since:
    """Where a condition begins.

    Attributes:
        seq: its first frame's sequence number.
        words: the same for people.
        without: a sample that may belong to the condition before, and is left out.
    """

    seq: int
    words: str
    without: str | None = None


async def where_from(journal: Journal, stream: str, asked: str | None) -> Since:
    """The frame that `asked` names, a sample or a time (UTC unless it says otherwise); without it the onset of the open episode.

    Raises:
        ValueError: there is no such frame.
    """
    if asked is None:
        told = await journal.look(lambda connection: operation.open_episodes(connection, stream))
        drifts = [episode for episode in told if episode["kind"] != Kind.DEGRADED]
        if not drifts:
            raise ValueError("no episode is open whose onset would say when the change began: name it with --from")
        path, index = drifts[0]["onset_path"], drifts[0]["onset_frame_index"]
        seq = await journal.look(lambda connection: operation.seq_of_frame(connection, stream, path, index))
        words = f"the onset of episode {drifts[0]['episode']}, whose own sample does not count"  # it may be the last one before the change
        return Since(seq or 0, words, drifts[0]["onset_sample"])  # an onset older than the retention time: all that is kept
    seq = await journal.look(lambda connection: operation.seq_of_sample(connection, stream, asked))
    if seq is not None:
        return Since(seq, f"sample {asked}")
    try:
        moment = datetime.fromisoformat(asked)
    except ValueError:
        raise ValueError(
            f"--from {asked} is neither a sample of stream {stream} in the journal nor a time such as 2026-01-31T14:00"
        ) from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    seq = await journal.look(lambda connection: operation.seq_since(connection, stream, moment.isoformat()))
    if seq is None:
        raise ValueError(f"no frame of stream {stream} was taken at {moment:%Y-%m-%d %H:%M} UTC or later")
    return Since(seq, f"{moment:%Y-%m-%d %H:%M} UTC")


def frames_since(
    connection: sqlite3.Connection, stream: str, since: Since, calibration: Calibration, *, in_control: bool = False
) -> list[BaselineFrame]:
    """The stream's frames from then on that tell something of the condition: whole, not blind, and answered by the same network.

    Where the calibration does not say which settings it holds for, frames at settings that it was not held for count as well: a re-base
    makes those of the newest frame the usual ones. With `in_control` only those that were judged, of samples without an alarm.
    """
    told = [dict(zip(FIELDS, row, strict=True)) for row in operation.frames_from(connection, stream, since.seq, FIELDS)]
    told = [row for row in told if since.without is None or row["sample"] != since.without]
    if in_control:
        alarmed = {row["sample"] for row in told if row["drift_state"] in ALARMED and row["sample"] is not None}
        told = [row for row in told if row["drift_state"] not in ALARMED and row["sample"] not in alarmed]
    lots = [*calibration.lots.items(), *(pair for at in calibration.strata.values() for pair in at.items())]
    tables = {name: LotTable.of(name, lot, declared=True) for name, lot in reversed(lots)}  # for blindness alone, whatever the settings
    if in_control or not tells_no_stratum(calibration):
        told = [row for row in told if row["drift_state"] != DriftState.UNCALIBRATED]
    return [frame for row in told if (frame := _frame(row, calibration.model_digest, tables)) is not None]


def _frame(told: dict[str, Any], model_digest: str, tables: dict[str, LotTable]) -> BaselineFrame | None:
    """A scored event's data as the judge took it; None for a frame that says nothing of the usual."""
    lot = told["declared_lot"] or told["lot"]
    numbers = ("entropy", "distance", "intensity_mean", "log_sigma", "log_noise", "log_sharpness")
    if (
        told["model_digest"] != model_digest
        or told["members_answering"] != told["members_expected"]
        or lot not in tables
        or any(told[name] is None for name in numbers)
    ):
        return None
    statistics = AcquisitionStatistics(
        told["intensity_mean"], told["log_sigma"], told["log_noise"], told["log_sharpness"], told["low_fraction"], told["high_fraction"]
    )
    if is_blind(statistics, tables[lot]):
        return None
    disagreement = told["mutual_information"] or 0.0  # null where a model has a single member
    score = Score(lot, 1.0, told["entropy"], disagreement, told["distance"], None, False, (), told["members_answering"])  # noqa: FBT003
    return BaselineFrame(
        lot, told["sample"], component_values(score, statistics), told["declared_lot"] is not None, told["stratum"] or UNRECORDED
    )
