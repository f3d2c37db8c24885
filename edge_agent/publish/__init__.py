"""Events as the world is told them, and the sinks that carry them: Kafka, or a JSON Lines log."""

from __future__ import annotations

from edge_agent.publish.agents import agent_heartbeat, agent_started, agent_stopped
from edge_agent.publish.alerts import ALERT_TYPES, OPENED, alert, alert_abandoned, alert_marked, alert_rebased, alert_test
from edge_agent.publish.command import CommandSink, find_program
from edge_agent.publish.deadline import GivingUp, OnlyPublishing
from edge_agent.publish.frames import QUARANTINED, SCORED, Origin, frame_companion, frame_quarantined, frame_scored
from edge_agent.publish.jsonl import JsonLinesSink
from edge_agent.publish.kafka_sink import KafkaSettings, KafkaSink
from edge_agent.publish.kafka_topics import existing_topics
from edge_agent.publish.kafka_trial import try_transaction
from edge_agent.publish.operators import baseline_changed, hold_changed
from edge_agent.publish.publisher import Publisher, PublisherState
from edge_agent.publish.webhook import WebhookSink, shown_address

__all__ = [
    "ALERT_TYPES",
    "OPENED",
    "QUARANTINED",
    "SCORED",
    "CommandSink",
    "GivingUp",
    "JsonLinesSink",
    "KafkaSettings",
    "KafkaSink",
    "OnlyPublishing",
    "Origin",
    "Publisher",
    "PublisherState",
    "WebhookSink",
    "agent_heartbeat",
    "agent_started",
    "agent_stopped",
    "alert",
    "alert_abandoned",
    "alert_marked",
    "alert_rebased",
    "alert_test",
    "baseline_changed",
    "existing_topics",
    "find_program",
    "frame_companion",
    "frame_quarantined",
    "frame_scored",
    "hold_changed",
    "shown_address",
    "try_transaction",
]
