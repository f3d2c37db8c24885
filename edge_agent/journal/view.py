"""Looks into a journal from another process, while its agent runs or after it has stopped; never writes."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from edge_agent.core.errors import JournalError
from edge_agent.journal import episodes, files, known, operation, outbox
from edge_agent.journal.failures import explained
from edge_agent.journal.journal import FILE_NAME, connect_read_only
from edge_agent.journal.schema import VERSION, check
from edge_agent.journal.text import restored, stored

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.core.frame import FileIdentity
    from edge_agent.core.protocols import KnownNames
    from edge_agent.journal.episodes import Evidence
    from edge_agent.journal.operation import Standing

T = TypeVar("T")
FRAME = "data, seq, recorded_at_ns, field_entropy"
RECENT = 1000
"""Frames whose reasons for not being judged are counted."""
NAMED = 5
"""Reasons that are named."""


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """What became of one stream's files.

    Attributes:
        stream: its name.
        known_files: files known by identity, those that were there before the first run included.
        pending: admitted, not yet finished.
        outcomes: finished files by outcome, within the retention time.
        frames: scored frames, within the retention time.
        not_judged: of the newest RECENT frames, those that were not judged, by reason, the NAMED commonest reasons first and the rest
            as one.
        last_frame_time_ns: when the newest frame was committed, nanoseconds since the epoch; None without one.
        standing: how it stands by its operators' orders.
    """

    stream: str
    known_files: int
    pending: int
    outcomes: dict[str, int]
    frames: int
    not_judged: dict[str, int]
    last_frame_time_ns: int | None
    standing: Standing


@dataclass(frozen=True, slots=True)
class JournalStatus:
    """The journal at a glance.

    Attributes:
        journal_id: the journal's UUID.
        streams: by name.
        open_alerts: the newest event's data of each open episode, oldest first.
        unsent_events: events no sink has acknowledged.
        oldest_unsent_ns: since when the oldest waits, nanoseconds since the epoch.
        last_event_seq: the largest outbox seq ever given.
    """

    journal_id: str
    streams: tuple[StreamStatus, ...]
    open_alerts: tuple[dict[str, Any], ...]
    unsent_events: int
    oldest_unsent_ns: int | None
    last_event_seq: int


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A file that could not be used.

    Attributes:
        stream, path: which.
        cause: one of `QUARANTINE_REASONS`.
        said: the file, what is wrong with it, and the way out, in one line.
        at_ns: when that was found, nanoseconds since the epoch.
    """

    stream: str
    path: str
    cause: str
    said: str
    at_ns: int


class JournalView:
    """Reads `state_dir/journal.sqlite3`; raises JournalError where there is none or it cannot be read."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir.expanduser().absolute() / FILE_NAME
        if not self._path.is_file():
            raise JournalError(str(self._path), "there is no journal", "check [agent] state_dir, or run the agent once")
        self._directory: tuple[str, str] | None = None
        self._names: KnownNames = {}

    @classmethod
    def open(cls, state_dir: Path) -> JournalView | None:
        """A view of the journal in `state_dir`, or None where no agent has run yet."""
        return cls(state_dir) if (state_dir.expanduser() / FILE_NAME).is_file() else None

    def status(self) -> JournalStatus:
        """Counts, open alerts and the outbox's backlog."""
        return self._ask(_status)

    def last_frames(self, limit: int, stream: str | None = None) -> list[dict[str, Any]]:
        """The newest frames, newest first: the scored event's data, with `seq`, `recorded_at_ns` and `field_entropy` beside it."""
        sql = f"SELECT {FRAME} FROM frame WHERE ?1 IS NULL OR stream = ?1 ORDER BY rowid DESC LIMIT ?2"  # noqa: S608 - a literal
        return self._ask(lambda connection: [_frame(row) for row in connection.execute(sql, (stream, limit))])

    def frames(self, path: str, stream: str | None = None) -> list[dict[str, Any]]:
        """All frames of the file at `path` (relative to its stream), by generation and frame index; see `last_frames`."""
        sql = (
            f"SELECT {FRAME} FROM frame WHERE stream IN (SELECT stream FROM directory) AND path = ?1"  # noqa: S608 - a literal
            " AND (?2 IS NULL OR stream = ?2) ORDER BY stream, generation, frame_index"
        )
        return self._ask(lambda connection: [_frame(row) for row in connection.execute(sql, (stored(path), stream))])

    def quarantined(self, limit: int) -> list[Quarantined]:
        """The newest files that could not be used, newest first, within the retention time."""
        sql = (
            "SELECT stream, path, cause, detail, finished_at_ns FROM admission WHERE outcome = 'quarantined'"
            " ORDER BY finished_at_ns DESC, seq DESC LIMIT ?"
        )
        return self._ask(
            lambda connection: [
                Quarantined(stream, restored(path), cause, "" if detail is None else restored(detail), at_ns)
                for stream, path, cause, detail, at_ns in connection.execute(sql, (limit,))
            ]
        )

    @property
    def size_bytes(self) -> int:
        """What the journal takes on the disk, its write-ahead log included."""
        return sum(path.stat().st_size for path in self._path.parent.glob(f"{FILE_NAME}*"))

    def episodes(self, limit: int) -> list[dict[str, Any]]:
        """The newest event's data of the newest `limit` episodes, open ones before closed ones, newest first."""
        return self._ask(lambda connection: episodes.newest(connection, limit))

    def evidence(self, alert: dict[str, Any]) -> Evidence:
        """The frames that an alert's data name as evidence, and some from before its onset, as they were scored."""
        return self._ask(lambda connection: episodes.evidence(connection, alert))

    def begun(self, stream: str) -> bool:
        """Whether stock of the stream's folder was taken."""
        return self._ask(lambda connection: files.begun(connection, stream))

    def knows(self, stream: str, file: FileIdentity) -> bool:
        """Whether `file` is known in this very state; quick when files come folder by folder."""
        directory, _, name = file.path.rpartition("/")
        if self._directory != (stream, directory):
            self._names = self._ask(lambda connection: known.in_directory(connection, stream, directory))
            self._directory = (stream, directory)
        return self._names.get(name) == (file.size, file.mtime_ns)

    def look(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Ask one of `operation`'s questions."""
        return self._ask(question)

    def _ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        with explained(self._path), closing(connect_read_only(self._path)) as connection:
            version = check(connection, self._path)
            if version < VERSION:
                raise JournalError(
                    str(self._path),
                    f"has the schema of an older release ({version} of {VERSION})",
                    "start the agent once to bring it up to date",
                )
            connection.execute("BEGIN")  # one moment for all questions
            return question(connection)


def _frame(row: tuple[str, int, int, str]) -> dict[str, Any]:
    data, seq, recorded_at_ns, field_entropy = row
    return {**json.loads(data), "seq": seq, "recorded_at_ns": recorded_at_ns, "field_entropy": json.loads(field_entropy)}


def _status(connection: sqlite3.Connection) -> JournalStatus:
    unsent, oldest = outbox.backlog(connection)
    (journal_id,) = connection.execute("SELECT id FROM journal").fetchone()
    names = connection.execute("SELECT name FROM stream UNION SELECT stream FROM directory ORDER BY 1").fetchall()
    alerts = connection.execute("SELECT data FROM episode WHERE is_open ORDER BY told_at_ns").fetchall()
    return JournalStatus(
        journal_id=journal_id,
        streams=tuple(_stream_status(connection, name) for (name,) in names),
        open_alerts=tuple(json.loads(data) for (data,) in alerts),
        unsent_events=unsent,
        oldest_unsent_ns=oldest,
        last_event_seq=outbox.last_seq(connection),
    )


def _stream_status(connection: sqlite3.Connection, stream: str) -> StreamStatus:
    def number(sql: str) -> int | None:
        found: int | None = connection.execute(sql, (stream,)).fetchone()[0]
        return found

    outcomes = connection.execute(
        "SELECT outcome, count(*) FROM admission WHERE stream = ? AND outcome IS NOT NULL GROUP BY outcome", (stream,)
    ).fetchall()
    return StreamStatus(
        stream=stream,
        known_files=number("SELECT count(*) FROM file WHERE directory IN (SELECT id FROM directory WHERE stream = ?)") or 0,
        pending=number("SELECT count(*) FROM admission WHERE stream = ? AND outcome IS NULL") or 0,
        outcomes=dict(outcomes),
        frames=number("SELECT count(*) FROM frame WHERE stream = ?") or 0,
        not_judged=_not_judged(connection, stream),
        last_frame_time_ns=number("SELECT max(recorded_at_ns) FROM (SELECT * FROM frame WHERE stream = ? ORDER BY rowid DESC LIMIT 1)"),
        standing=operation.standing(connection, stream),
    )


def _not_judged(connection: sqlite3.Connection, stream: str) -> dict[str, int]:
    found = connection.execute(
        "SELECT why, count(*) FROM (SELECT json_extract(data, '$.not_judged') AS why FROM frame"
        " WHERE stream = ? ORDER BY rowid DESC LIMIT ?) WHERE why IS NOT NULL GROUP BY why ORDER BY 2 DESC, 1",
        (stream, RECENT),
    ).fetchall()
    rest = found[NAMED:]
    others = {f"{len(rest)} other {'reason' if len(rest) == 1 else 'reasons'}": sum(frames for _, frames in rest)} if rest else {}
    return dict(found[:NAMED]) | others
