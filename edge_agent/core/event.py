"""An event as it leaves the agent: a CloudEvent 1.0 with a flat JSON object as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """One CloudEvent, ready to be journalled.

    Attributes:
        id: derived (UUIDv5), the same whenever the same thing is told again.
        type: for example `edge.frame.scored.v1`.
        source: URI-reference of the agent, `/edge-agent/<agent>`.
        subject: the stream, or None for the agent itself.
        time: RFC 3339, UTC: when the event was made.
        topic: Kafka topic.
        key: `<agent>/<stream>`.
        data: the JSON object, UTF-8.
    """

    id: str
    type: str
    source: str
    subject: str | None
    time: str
    topic: str
    key: str
    data: bytes


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """An event with its place in the outbox; `seq` ascends without reuse within a journal."""

    seq: int
    event: Event
