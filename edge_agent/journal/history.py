"""A stream's past as the journal keeps it, read beside a running agent: frames in the order of judgement, and alerts as they were told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_agent.core.errors import JournalError
from edge_agent.journal import operation
from edge_agent.journal.text import restored
from edge_agent.journal.view import JournalView

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping

PAGE = 500
"""Frames a transaction: a long look would keep the agent from trimming its write-ahead log."""
SCORED = "edge.frame.scored.v1"
BASELINE = "edge.baseline.changed.v1"
ALERTS = ("edge.alert.opened.v1", "edge.alert.updated.v1", "edge.alert.closed.v1")


@dataclass(frozen=True, slots=True)
class KeptFrame:
    """One scored frame.

    Attributes:
        event_id: of its scored event.
        path: relative to the stream; exact, where the event's may be a spelling of a name that is no Unicode.
        seq, frame_index: its place in the order of judgement.
        content_hash: SHA-256 of its pixels.
        data: the scored event's data.
        field_entropy: shape (rows, columns), nats.
    """

    event_id: str
    path: str
    seq: int
    frame_index: int
    content_hash: str
    data: dict[str, Any]
    field_entropy: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class ToldAlert:
    """One alert event.

    Attributes:
        data: the event's data.
        after: event id of the scored frame it followed; None when that has been forgotten.
    """

    data: dict[str, Any]
    after: str | None


@dataclass(frozen=True, slots=True)
class BaselineChange:
    """An operator re-based the stream or brought a baseline back.

    Attributes:
        old, new: the baselines' identities.
        after: event id of the last scored frame before; None when that has been forgotten.
    """

    old: str
    new: str
    after: str | None


@dataclass(frozen=True, slots=True)
class Past:
    """What stands in the journal at one moment.

    Attributes:
        alerts: in the order in which they were told.
        last_row: of the newest frame.
        pruned: whether older frames have been forgotten, of this stream or of another.
        changes: of the baseline, oldest first.
        baselines: what leads from a calibration to each baseline that operators made, JSON by identity.
        baseline: the one in force before the first change; None for the calibration itself.
    """

    alerts: tuple[ToldAlert, ...]
    last_row: int
    pruned: bool
    changes: tuple[BaselineChange, ...]
    baselines: Mapping[str, str]
    baseline: str | None


class JournalHistory(JournalView):
    """A stream's past; raises JournalError like `JournalView`, and for a stream of which no frame is kept."""

    def past(self, stream: str) -> Past:
        """The stream's alerts, and how far its frames go, all at one moment."""

        def look(connection: sqlite3.Connection) -> Past:
            (last_row,) = connection.execute("SELECT max(rowid) FROM frame WHERE stream = ?", (stream,)).fetchone()
            if last_row is None:
                known = ", ".join(name for (name,) in connection.execute("SELECT DISTINCT stream FROM frame ORDER BY 1")) or "none"
                raise JournalError(str(self._path), f"keeps no scored frame of stream {stream}", f"streams with frames: {known}")
            (first_row,) = connection.execute("SELECT min(rowid) FROM frame").fetchone()
            changes = tuple(_baseline_changes(connection, stream))
            return Past(
                alerts=tuple(_alerts(connection, stream)),
                last_row=int(last_row),
                pruned=int(first_row) > 1,
                changes=changes,
                baselines={kept.id: kept.data for kept in operation.baselines(connection, stream)},
                baseline=changes[0].old if changes else operation.standing(connection, stream).baseline,
            )

        return self._ask(look)

    def kept_frames(self, stream: str, last_row: int) -> Iterator[KeptFrame]:
        """The stream's frames up to `last_row`, in the order of judgement."""
        row = 0
        sql = (
            "SELECT rowid, event_id, path, seq, frame_index, content_hash, data, field_entropy FROM frame"
            " WHERE rowid > ? AND rowid <= ? AND +stream = ? ORDER BY rowid LIMIT ?"  # +: by row, not by the index of names
        )
        while True:
            after = row
            page = self._ask(lambda connection: connection.execute(sql, (after, last_row, stream, PAGE)).fetchall())  # noqa: B023 - at once
            for row, event_id, path, seq, frame_index, content_hash, data, field_entropy in page:  # noqa: B007 - the next page's start
                rows = tuple(tuple(cells) for cells in json.loads(field_entropy))
                yield KeptFrame(event_id, restored(path), seq, frame_index, content_hash, json.loads(data), rows)
            if len(page) < PAGE:
                return


def _alerts(connection: sqlite3.Connection, stream: str) -> Iterator[ToldAlert]:
    """Alerts in the outbox, before them those that are open and whose events have been forgotten."""
    told = connection.execute(
        "SELECT seq, data FROM outbox WHERE subject = ? AND type IN (?, ?, ?) ORDER BY seq", (stream, *ALERTS)
    ).fetchall()
    found = [(seq, json.loads(data)) for seq, data in told]
    still_told = {data["episode"] for _, data in found}
    for episode, data in connection.execute(
        "SELECT episode, data FROM episode WHERE is_open AND stream = ? ORDER BY told_at_ns", (stream,)
    ):
        if episode not in still_told:
            yield ToldAlert(json.loads(data), None)
    for seq, data in found:
        yield ToldAlert(data, _scored_before(connection, stream, seq))


def _baseline_changes(connection: sqlite3.Connection, stream: str) -> Iterator[BaselineChange]:
    told = connection.execute("SELECT seq, data FROM outbox WHERE subject = ? AND type = ? ORDER BY seq", (stream, BASELINE)).fetchall()
    for seq, text in told:
        data = json.loads(text)
        if data["old_baseline"] != data["new_baseline"]:
            yield BaselineChange(data["old_baseline"], data["new_baseline"], _scored_before(connection, stream, seq))


def _scored_before(connection: sqlite3.Connection, stream: str, seq: int) -> str | None:
    """Event id of the stream's last scored frame before outbox row `seq`."""
    sql = "SELECT id FROM outbox WHERE seq < ? AND subject = ? AND type = ? ORDER BY seq DESC LIMIT 1"
    found = connection.execute(sql, (seq, stream, SCORED)).fetchone()
    return None if found is None else str(found[0])
