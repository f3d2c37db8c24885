"""Creates the topics that are missing, where the broker lets us."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import structlog
from kafka import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from edge_agent.publish.kafka_clients import connect
from edge_agent.publish.kafka_trouble import explain, reach

if TYPE_CHECKING:
    from edge_agent.publish.kafka_settings import KafkaSettings

log = structlog.get_logger(__name__)

BY_ARRIVAL = {"message.timestamp.type": "LogAppendTime"}
"""The broker's clock dates records: one an hour behind an instrument's would refuse its events, one far ahead delete them too early.
The time in an event is the instrument's all the same."""
COMPACTED = BY_ARRIVAL | {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.1",
    "segment.ms": "3600000",
    "max.compaction.lag.ms": "3600000",
}
"""Of a cursor only the newest matters."""


def wanted_topics(settings: KafkaSettings) -> dict[str, dict[str, Any]]:
    """Every topic this agent writes, with what it is created with."""
    names = settings.topics
    spread = {"num_partitions": settings.partitions, "replication_factor": settings.replication_factor, "configs": BY_ARRIVAL}
    return {
        names.frames: dict(spread),
        names.alerts: dict(spread),
        names.agents: dict(spread),
        names.baselines: dict(spread),
        names.cursors: {"num_partitions": 1, "replication_factor": settings.replication_factor, "configs": COMPACTED},
    }


def existing_topics(settings: KafkaSettings) -> frozenset[str]:
    """The names of the topics that the broker shows us; raises SinkUnavailableError where it does not answer as configured."""
    reach(settings)
    try:
        with closing(connect(KafkaAdminClient, **settings.connection("admin"))) as admin:
            return frozenset(admin.list_topics())
    except KafkaError as error:
        raise explain(settings, error) from error


def create_missing(settings: KafkaSettings) -> frozenset[str]:
    """Create what is missing and return the names that certainly exist now.

    A broker that does not let us is left to create topics itself, or to say at sending what it lacks.
    """
    with closing(connect(KafkaAdminClient, **settings.connection("admin"))) as admin:
        existing = set(admin.list_topics())
        for name, wanted in wanted_topics(settings).items():
            if name in existing:
                continue
            try:
                admin.create_topics({name: wanted}, timeout_ms=5_000, wait_for_metadata=True)
            except TopicAlreadyExistsError:
                pass
            except KafkaError as error:
                log.warning("the topic could not be created", topic=name, reason=str(error))
                continue
            existing.add(name)
    return frozenset(existing)
