"""CloudEvents 1.0: derived ids, and the two ways an event is written down."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING
from urllib.parse import quote

from edge_agent.core.event import Event

if TYPE_CHECKING:
    from edge_agent.core.event import OutboxRow
    from edge_agent.publish.payload import Payload

NAMESPACE = uuid.UUID("c2f4b0a6-6c0e-5d53-9d5e-2f7a51f0a7d4")
"""The UUIDv5 namespace of edge-agent's event ids."""


def derived_id(*parts: str | int) -> str:
    """UUIDv5 of `parts`: the same whenever the same thing is told again."""
    return str(uuid.uuid5(NAMESPACE, json.dumps(parts)))


def make_event(event_id: str, kind: str, topic: str, payload: Payload, stream: str | None) -> Event:
    """An event ready for the journal; its key keeps a stream's events in order."""
    return Event(
        id=event_id,
        type=kind,
        source=f"/edge-agent/{quote(payload.agent)}",
        subject=stream,
        time=payload.emitted_at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        topic=topic,
        key=payload.agent if stream is None else f"{payload.agent}/{stream}",
        data=payload.to_json(),
    )


def attributes(row: OutboxRow, journal_id: str) -> dict[str, str]:
    """The context attributes, extensions included: `journalid` and `sequence` number an agent's events without gaps."""
    event = row.event
    named = {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type, "time": event.time}
    if event.subject is not None:
        named["subject"] = event.subject
    return {
        **named,
        "datacontenttype": "application/json",
        "partitionkey": event.key,
        "journalid": journal_id,
        "sequence": f"{row.seq:020d}",
    }


def structured(row: OutboxRow, journal_id: str) -> bytes:
    """One line of JSON, without the line's end; the data stay byte for byte what the journal holds."""
    return json.dumps(attributes(row, journal_id)).encode()[:-1] + b', "data": ' + row.event.data + b"}"


def binary_headers(row: OutboxRow, journal_id: str) -> list[tuple[str, bytes]]:
    """Kafka headers of the binary mode; the record's key is the partition key, its value the data."""
    named = attributes(row, journal_id)
    content_type, _ = named.pop("datacontenttype"), named.pop("partitionkey")
    return [("content-type", content_type.encode()), *((f"ce_{name}", value.encode()) for name, value in named.items())]
