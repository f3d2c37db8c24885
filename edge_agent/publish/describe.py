"""Writes the events' contract for other programs: `python -m edge_agent.publish.describe`.

JSON Schemas are made from the payload models, and AsyncAPI from both; they lie in `schemas/` beside this file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_agent import __version__
from edge_agent.core.verdict import Phase
from edge_agent.publish import agents, alerts, frames, operators

if TYPE_CHECKING:
    from edge_agent.publish.payload import Payload

SCHEMAS = Path(__file__).parent / "schemas"

PAYLOADS: dict[str, dict[str, type[Payload]]] = {
    frames.TOPIC: {
        frames.SCORED: frames.FrameScored,
        frames.QUARANTINED: frames.FrameQuarantined,
        frames.COMPANION: frames.FrameCompanion,
    },
    alerts.TOPIC: {alerts.TYPES[phase]: alerts.Alert for phase in Phase},
    agents.TOPIC: {
        agents.STARTED: agents.AgentStarted,
        agents.HEARTBEAT: agents.AgentHeartbeat,
        agents.STOPPED: agents.AgentStopped,
    },
    operators.TOPIC: {
        operators.BASELINE: operators.BaselineChanged,
        operators.HOLD: operators.HoldChanged,
    },
}
"""Every event type by topic, with the model of its data."""

GROWTH = (
    "This is all that this release writes. A later one may add fields without another version of the type: readers ignore those they do "
    "not know, and take the default of those that are not required and absent."
)

TOPICS = {
    frames.TOPIC: "Every frame that was scored, and every file that could not be.",
    alerts.TOPIC: "Episodes that open, change and close.",
    agents.TOPIC: "Life signs.",
    operators.TOPIC: "What operators ordered of a stream's baseline and predictions, and what became of a provisional baseline.",
}


def json_schema(kind: str, payload: type[Payload]) -> dict[str, Any]:
    """The JSON Schema of one event type's data."""
    schema = payload.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:edge-agent:{kind}",
        **schema,
        "description": f"{schema['description']} {GROWTH}",
    }


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3 document."""
    messages = {kind: payload for payloads in PAYLOADS.values() for kind, payload in payloads.items()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "edge-agent events",
            "version": __version__,
            "description": (
                "CloudEvents 1.0 in Kafka's binary mode. Keys are <agent>/<stream>, so one stream keeps its order. Consumers read with "
                "isolation.level=read_committed; ce_journalid with ce_sequence numbers an agent's events without gaps."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            topic: {
                "address": topic,
                "description": TOPICS[topic],
                "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in payloads},
            }
            for topic, payloads in PAYLOADS.items()
        },
        "operations": {
            f"send.{topic}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{topic}"},
                "messages": [{"$ref": f"#/channels/{topic}/messages/{kind}"} for kind in payloads],
            }
            for topic, payloads in PAYLOADS.items()
        },
        "components": {
            "messages": {
                kind: {
                    "name": kind,
                    "summary": (payload.__doc__ or "").strip(),
                    "headers": _headers(kind),
                    "payload": {
                        "schemaFormat": "application/schema+json;version=draft-2020-12",
                        "schema": {"$ref": f"{kind}.json"},
                    },
                    "bindings": {"kafka": {"key": {"type": "string", "description": "<agent>/<stream>; <agent> where there is no stream"}}},
                }
                for kind, payload in messages.items()
            }
        },
    }


def _headers(kind: str) -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["content-type", "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_journalid", "ce_sequence"],
        "properties": {
            "content-type": {"const": "application/json"},
            "ce_specversion": {"const": "1.0"},
            "ce_id": {"type": "string", "format": "uuid", "description": "UUIDv5: the same when the same thing is told again"},
            "ce_source": {"type": "string", "format": "uri-reference"},
            "ce_type": {"const": kind},
            "ce_time": {"type": "string", "format": "date-time"},
            "ce_subject": {"type": "string", "description": "the stream"},
            "ce_journalid": text,
            "ce_sequence": {"type": "string", "pattern": "^[0-9]{20}$"},
        },
    }


def documents() -> dict[str, str]:
    """Every document's text by file name."""
    written: dict[str, Any] = {"asyncapi.json": asyncapi()}
    for payloads in PAYLOADS.values():
        written |= {f"{kind}.json": json_schema(kind, payload) for kind, payload in payloads.items()}
    return {name: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for name, document in written.items()}


def main() -> None:
    """Write every document."""
    SCHEMAS.mkdir(exist_ok=True)
    for name, text in documents().items():
        (SCHEMAS / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
