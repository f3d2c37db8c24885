"""What operators ordered of the streams, as rows: their words, the baselines they made, and how each stream stands by them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_agent.core.verdict import DriftState
from edge_agent.journal import outbox
from edge_agent.journal.text import restored, stored

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from edge_agent.core.event import Event


@dataclass(frozen=True, slots=True)
class Hold:
    """A stream's predictions are not to be relied on.

    Attributes:
        who, why: an operator's name and reason.
        since_ns: when it began, nanoseconds since the epoch.
        until_ns: when it ends by itself; None when it has to be released.
    """

    who: str
    why: str
    since_ns: int
    until_ns: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a stream stands by its operators' orders.

    Attributes:
        stream: its name.
        baseline: the identity of the re-based baseline in force; None for the calibration itself.
        since_seq: the last sequence number that was judged before it came into force.
        provisional: whether further samples have yet to confirm it.
        hold: the hold on its predictions; None when they are not held.
    """

    stream: str
    baseline: str | None = None
    since_seq: int = 0
    provisional: bool = False
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class Baseline:
    """A baseline that an operator made.

    Attributes:
        stream: whose.
        id: the first 16 digits of its calibration's SHA-256.
        data: what leads to it from the model's calibration, JSON.
        made_at_ns, who, why: the order it came from.
        samples: it was estimated from.
    """

    stream: str
    id: str
    data: str
    made_at_ns: int
    who: str
    why: str
    samples: int


@dataclass(frozen=True, slots=True)
class Word:
    """An operator's order and what became of it.

    Attributes:
        id: the order's; it is carried out once.
        stream: which stream it was about; "" for one that no stream could be found for.
        verb: ack, wrong, rebase, restore, hold, release or confirm.
        who, why: an operator's name and reason.
        asked_at_ns, done_at_ns: nanoseconds since the epoch.
        applied: whether it was carried out; refused otherwise.
        answer: what the operator is told.
        episode: the episode it was about, if any.
        old_baseline, new_baseline: identities, where it was about the baseline.
        samples: a re-base was estimated from.
    """

    id: str
    stream: str
    verb: str
    who: str
    why: str
    asked_at_ns: int
    done_at_ns: int
    applied: bool
    answer: str
    episode: str | None = None
    old_baseline: str | None = None
    new_baseline: str | None = None
    samples: int | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """All that carrying an order out changes: durable together, or not at all."""

    word: Word
    standing: Standing | None = None
    baseline: Baseline | None = None
    drift_state: str | None = None
    events: tuple[Event, ...] = ()


def execute(connection: sqlite3.Connection, execution: Execution, now_ns: int) -> None:
    """Write what an order changes; an order that was carried out before is an integrity error, never a second one."""
    word, standing, made = execution.word, execution.standing, execution.baseline
    connection.execute(
        "INSERT INTO word VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            word.id, word.stream, word.verb, stored(word.who), stored(word.why), word.asked_at_ns, word.done_at_ns, word.applied,
            stored(word.answer), word.episode, word.old_baseline, word.new_baseline, word.samples,
        ),
    )  # fmt: skip
    if made is not None:
        connection.execute(
            "INSERT OR IGNORE INTO baseline VALUES (?, ?, ?, ?, ?, ?, ?)",
            (made.stream, made.id, made.data, made.made_at_ns, stored(made.who), stored(made.why), made.samples),
        )
    if standing is not None:
        hold = standing.hold
        held = None if hold is None else json.dumps([hold.who, hold.why, hold.since_ns, hold.until_ns])
        row = (standing.stream, standing.baseline, standing.since_seq, standing.provisional, held)
        connection.execute("INSERT OR REPLACE INTO standing VALUES (?, ?, ?, ?, ?)", row)
    if execution.drift_state is not None:
        connection.execute(
            "INSERT INTO stream (name, drift_state) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET drift_state = excluded.drift_state",
            (word.stream, execution.drift_state),
        )
    outbox.append(connection, execution.events, now_ns)


def word(connection: sqlite3.Connection, order_id: str) -> Word | None:
    """What became of an order; None while nothing has."""
    row = connection.execute("SELECT * FROM word WHERE id = ?", (order_id,)).fetchone()
    return None if row is None else _word(row)


def words(connection: sqlite3.Connection, stream: str) -> list[Word]:
    """All orders about a stream, oldest first."""
    return [_word(row) for row in connection.execute("SELECT * FROM word WHERE stream = ? ORDER BY done_at_ns, id", (stream,))]


def _word(row: tuple[Any, ...]) -> Word:
    order_id, stream, verb, who, why, asked, done, applied, answer, *rest = row
    return Word(order_id, stream, verb, restored(who), restored(why), asked, done, bool(applied), restored(answer), *rest)


def marked_wrong(connection: sqlite3.Connection, stream: str, since_ns: int) -> int:
    """Episodes that were marked as false alarms since then."""
    sql = "SELECT count(DISTINCT episode) FROM word WHERE stream = ? AND verb = 'wrong' AND applied AND done_at_ns >= ?"
    (count,) = connection.execute(sql, (stream, since_ns)).fetchone()
    return int(count)


def frames_recorded(connection: sqlite3.Connection, stream: str, since_ns: int) -> int:
    """Frames of the stream that were scored since then."""
    sql = "SELECT count(*) FROM frame WHERE stream = ? AND recorded_at_ns >= ?"
    (count,) = connection.execute(sql, (stream, since_ns)).fetchone()
    return int(count)


def standing(connection: sqlite3.Connection, stream: str) -> Standing:
    """How the stream stands; as it came where nobody ordered anything."""
    row = connection.execute("SELECT * FROM standing WHERE stream = ?", (stream,)).fetchone()
    if row is None:
        return Standing(stream)
    name, baseline_id, since_seq, provisional, held = row
    return Standing(name, baseline_id, since_seq, bool(provisional), None if held is None else Hold(*json.loads(held)))


def baselines(connection: sqlite3.Connection, stream: str) -> list[Baseline]:
    """Every baseline that was made for the stream, oldest first."""
    rows = connection.execute("SELECT * FROM baseline WHERE stream = ? ORDER BY made_at_ns, id", (stream,))
    return [Baseline(name, ident, data, at, restored(who), restored(why), samples) for name, ident, data, at, who, why, samples in rows]


def open_episodes(connection: sqlite3.Connection, stream: str) -> list[dict[str, Any]]:
    """The newest event's data of each open episode of the stream, oldest first."""
    rows = connection.execute("SELECT data FROM episode WHERE is_open AND stream = ? ORDER BY told_at_ns", (stream,))
    return [json.loads(data) for (data,) in rows]


def episode(connection: sqlite3.Connection, identity: str) -> dict[str, Any] | None:
    """The newest event's data of an episode, open or closed, within the retention time."""
    row = connection.execute("SELECT data FROM episode WHERE episode = ?", (identity,)).fetchone()
    return None if row is None else dict(json.loads(row[0]))


def last_seq(connection: sqlite3.Connection, stream: str) -> int:
    """The sequence number of the stream's last scored frame, 0 without one."""
    (seq,) = connection.execute("SELECT max(seq) FROM frame WHERE stream = ?", (stream,)).fetchone()
    return int(seq or 0)


def last_verdict(connection: sqlite3.Connection, stream: str) -> tuple[float | None, float | None, DriftState] | None:
    """Statistic, threshold and standing as the stream's last scored frame was told with them; None without one."""
    fields = "json_extract(data, '$.drift_statistic'), json_extract(data, '$.drift_threshold'), json_extract(data, '$.drift_state')"
    sql = f"SELECT {fields} FROM frame WHERE stream = ? ORDER BY seq DESC, frame_index DESC LIMIT 1"  # noqa: S608 - a literal
    row = connection.execute(sql, (stream,)).fetchone()
    return None if row is None or row[2] is None else (row[0], row[1], DriftState(row[2]))


def seq_of_frame(connection: sqlite3.Connection, stream: str, path: str, frame_index: int) -> int | None:
    """The sequence number of a scored frame, of its newest generation; `path` as events tell it."""
    sql = "SELECT max(seq) FROM frame WHERE stream = ? AND path = ? AND frame_index = ?"
    (seq,) = connection.execute(sql, (stream, stored(path), frame_index)).fetchone()
    return None if seq is None else int(seq)


def seq_of_sample(connection: sqlite3.Connection, stream: str, sample: str) -> int | None:
    """The sequence number of a sample's first frame within the retention time."""
    sql = "SELECT min(seq) FROM frame WHERE stream = ? AND json_extract(data, '$.sample') = ?"
    (seq,) = connection.execute(sql, (stream, sample)).fetchone()
    return None if seq is None else int(seq)


def seq_since(connection: sqlite3.Connection, stream: str, moment: str) -> int | None:
    """The sequence number of the first frame taken at `moment` (RFC 3339) or later."""
    sql = "SELECT min(seq) FROM frame WHERE stream = ? AND julianday(json_extract(data, '$.frame_time')) >= julianday(?)"
    (seq,) = connection.execute(sql, (stream, moment)).fetchone()
    return None if seq is None else int(seq)


def frames_from(connection: sqlite3.Connection, stream: str, seq: int, names: Sequence[str]) -> list[list[Any]]:
    """The named fields of every scored frame of the stream with that sequence number or a later one, in the order they were judged."""
    fields = ", ".join(["json_extract(data, ?)"] * len(names))
    rows = connection.execute(
        f"SELECT json_array({fields}) FROM frame WHERE stream = ? AND seq >= ? ORDER BY seq, frame_index",  # noqa: S608 - placeholders only
        (*(f"$.{name}" for name in names), stream, seq),
    )
    return [json.loads(row) for (row,) in rows]
