"""The outbox's statements: events wait here until a sink has acknowledged them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from edge_agent.core.event import Event, OutboxRow

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

ALERT_PREFIX = "edge.alert."
CLOSED = "edge.alert.closed.v1"


def append(connection: sqlite3.Connection, events: Sequence[Event], now_ns: int) -> None:
    """Queue `events` in order, and remember each episode's newest word."""
    connection.executemany(
        "INSERT INTO outbox (queued_at_ns, id, type, source, subject, time, topic, key, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((now_ns, event.id, event.type, event.source, event.subject, event.time, event.topic, event.key, event.data) for event in events),
    )
    alerts = [event for event in events if event.type.startswith(ALERT_PREFIX)]
    connection.executemany(
        "INSERT OR REPLACE INTO episode VALUES (?, ?, ?, ?, ?)",
        ((json.loads(event.data)["episode"], event.subject, event.type != CLOSED, now_ns, event.data) for event in alerts),
    )


def published_up_to(connection: sqlite3.Connection) -> int:
    """The largest seq known to be acknowledged."""
    (seq,) = connection.execute("SELECT published_up_to FROM journal").fetchone()
    return int(seq)


def mark_published(connection: sqlite3.Connection, up_to: int) -> None:
    """Note the largest acknowledged seq; it never goes back."""
    connection.execute("UPDATE journal SET published_up_to = max(published_up_to, ?)", (up_to,))


def unsent(connection: sqlite3.Connection, limit: int) -> list[OutboxRow]:
    """The oldest rows that are not acknowledged."""
    rows = connection.execute(
        "SELECT seq, id, type, source, subject, time, topic, key, data FROM outbox"
        " WHERE seq > (SELECT published_up_to FROM journal) ORDER BY seq LIMIT ?",
        (limit,),
    )
    return [OutboxRow(seq, Event(*event)) for seq, *event in rows]


def alerts_after(connection: sqlite3.Connection, after: int, limit: int) -> tuple[list[OutboxRow], int]:
    """The oldest alerts with seq > `after`, acknowledged or not, and the seq up to which there is no other."""
    newest = last_seq(connection)
    rows = connection.execute(
        "SELECT seq, id, type, source, subject, time, topic, key, data FROM outbox"
        " WHERE seq > ? AND seq <= ? AND substr(type, 1, length(?)) = ? ORDER BY seq LIMIT ?",
        (after, newest, ALERT_PREFIX, ALERT_PREFIX, limit),
    )
    found = [OutboxRow(seq, Event(*event)) for seq, *event in rows]
    return found, found[-1].seq if found else max(after, newest)


def last_seq(connection: sqlite3.Connection) -> int:
    """The largest seq ever given, pruned rows included."""
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    return 0 if found is None else int(found[0])


def backlog(connection: sqlite3.Connection) -> tuple[int, int | None]:
    """How many events wait, and since when the oldest does, nanoseconds since the epoch."""
    acknowledged = published_up_to(connection)
    oldest = connection.execute("SELECT queued_at_ns FROM outbox WHERE seq > ? ORDER BY seq LIMIT 1", (acknowledged,)).fetchone()
    # Rows are numbered without gaps and unsent ones are never pruned, so that nobody has to count.
    return (0, None) if oldest is None else (last_seq(connection) - acknowledged, int(oldest[0]))
