"""Events as the world is told them, and the sinks that carry them: Kafka, or a JSON Lines log."""

from __future__ import annotations

from edge_agent.publish.agents import agent_heartbeat, agent_started, agent_stopped
from edge_agent.publish.alerts import alert, alert_abandoned
from edge_agent.publish.frames import Origin, frame_companion, frame_quarantined, frame_scored
from edge_agent.publish.jsonl import JsonLinesSink
from edge_agent.publish.kafka_sink import KafkaSettings, KafkaSink
from edge_agent.publish.kafka_topics import existing_topics
from edge_agent.publish.publisher import Publisher, PublisherState

__all__ = [
    "JsonLinesSink",
    "KafkaSettings",
    "KafkaSink",
    "Origin",
    "Publisher",
    "PublisherState",
    "agent_heartbeat",
    "agent_started",
    "agent_stopped",
    "alert",
    "alert_abandoned",
    "existing_topics",
    "frame_companion",
    "frame_quarantined",
    "frame_scored",
]
