"""One transaction on a scratch topic, under a name of its own: what only sending tells, without a word to those who listen."""

from __future__ import annotations

import json
import time
import uuid
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import (
    AuthorizationError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from edge_agent.publish.kafka_clients import connect
from edge_agent.publish.kafka_trouble import explain, reach

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.publish.kafka_settings import KafkaSettings

PATIENCE_S = 8.0
SCRATCH = {"message.timestamp.type": "LogAppendTime", "retention.ms": "60000"}
"""The broker stamps what it appends, so that its clock can be seen."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What the broker did.

    Attributes:
        topic: the scratch topic.
        existing: the topics that it shows.
        forbidden: what it denies this agent on its own topics, such as "write edge.frames".
        denied: why the transaction was refused by access rules; "" where it was committed and read back.
        left: whether the scratch topic is still there, because it was there before or may not be deleted.
        ahead_s: how far the broker's clock is ahead of this machine's, seconds; None where it did not say.
    """

    topic: str
    existing: frozenset[str]
    forbidden: tuple[str, ...]
    denied: str
    left: bool
    ahead_s: float | None


def scratch_topic(settings: KafkaSettings) -> str:
    """The agents' topic with its last part exchanged, so that it lies where a prefix rule allows the others.

    >>> from edge_agent.publish.kafka_settings import KafkaSettings
    >>> scratch_topic(KafkaSettings("sem", ("broker:9092",)))
    'edge.doctor'
    """
    prefix, dot, _ = settings.topics.agents.rpartition(".")
    return f"{prefix}{dot}doctor"


def try_transaction(settings: KafkaSettings) -> Tried:
    """Commit one record to the scratch topic and read it back; blocking.

    The transactional id is drawn anew, so that no running agent is fenced. Raises SinkUnavailableError where the broker does not do it.
    """
    topic = scratch_topic(settings)
    reach(settings)
    try:
        with closing(connect(KafkaAdminClient, **settings.connection("doctor"))) as admin:
            existing, made = frozenset(admin.list_topics()), False
            forbidden = _forbidden(admin.describe_topics(sorted(_needs(settings))), _needs(settings))
            try:
                if topic not in existing:
                    made = _make(admin, settings, topic)
                stamped_ahead_s = _transact(settings, topic)
                ahead_s = stamped_ahead_s if made else None  # a topic of others' making may keep the sender's time
                denied = ""
            except AuthorizationError as error:
                ahead_s, denied = None, f"{type(error).__name__.removesuffix('Error')} ({' '.join(str(error).split())})"
            left = not (made and _delete(admin, topic)) and (made or topic in existing)
            return Tried(topic, existing, forbidden, denied, left, ahead_s)
    except (KafkaError, TimeoutError) as error:
        raise explain(settings, error) from error


def _needs(settings: KafkaSettings) -> dict[str, tuple[str, ...]]:
    """What the agent does on each of its topics."""
    names = settings.topics
    written = dict.fromkeys((names.frames, names.alerts, names.agents, names.baselines), ("WRITE",))
    return {**written, names.cursors: ("WRITE", "READ")}


def _forbidden(described: list[Mapping[str, Any]], needs: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """What is denied, by the broker's own list of rights; brokers that give none deny nothing."""
    found = []
    for topic in described:
        name, rights = str(topic["name"]), topic.get("authorized_operations")
        if topic["error_code"] == TopicAuthorizationFailedError.errno:
            found.append(f"see {name}")
        elif topic["error_code"] == 0 and isinstance(rights, list):
            found += [f"{need.lower()} {name}" for need in needs[name] if need not in rights]
    return tuple(found)


def _make(admin: Any, settings: KafkaSettings, topic: str) -> bool:
    wanted = {"num_partitions": 1, "replication_factor": settings.replication_factor, "configs": SCRATCH}
    try:
        admin.create_topics({topic: wanted}, timeout_ms=5_000)
    except TopicAlreadyExistsError:  # another doctor's, or hidden from us
        return False
    deadline = time.monotonic() + PATIENCE_S
    while (error := admin.describe_topics([topic])[0]["error_code"]) and time.monotonic() < deadline:
        if error == TopicAuthorizationFailedError.errno:
            raise TopicAuthorizationFailedError(topic)
        time.sleep(0.05)
    return True


def _delete(admin: Any, topic: str) -> bool:
    try:
        admin.delete_topics([topic], timeout_ms=5_000)
    except UnknownTopicOrPartitionError:
        return True
    except KafkaError:
        return False
    return True


def _transact(settings: KafkaSettings, topic: str) -> float:
    """Commit a record and read it back as a read-committed consumer; how far the broker's clock is ahead, seconds."""
    word = uuid.uuid4().hex
    producer = connect(
        KafkaProducer,
        **settings.connection("doctor"),
        transactional_id=f"{settings.transactional_id}.doctor.{word}",
        transaction_timeout_ms=settings.transaction_timeout_ms,
        max_block_ms=5_000,
        delivery_timeout_ms=int(PATIENCE_S * 1000),
        linger_ms=0,
        metrics_enabled=False,
    )
    try:
        producer.init_transactions()
        producer.begin_transaction()
        before_s = time.time()
        sent = producer.send(topic, value=json.dumps({"doctor": word}).encode(), key=settings.agent.encode(), partition=0)
        where = sent.get(timeout=PATIENCE_S)
        after_s = time.time()
        producer.commit_transaction()
    finally:
        with suppress(KafkaError):
            producer.close(timeout=0)
    _read_back(settings, topic, where.offset, word)
    stamped_s = float(where.timestamp) / 1e3
    return min(0.0, stamped_s - before_s) or max(0.0, stamped_s - after_s)


def _read_back(settings: KafkaSettings, topic: str, offset: int, word: str) -> None:
    """Raises KafkaError or TimeoutError where what was committed cannot be read."""
    consumer = connect(
        KafkaConsumer, **settings.connection("doctor"), isolation_level="read_committed", enable_auto_commit=False, group_id=None
    )
    with closing(consumer):
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek(partition, offset)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for record in consumer.poll(timeout_ms=200).get(partition, ()):
                if record.offset == offset and json.loads(record.value)["doctor"] == word:
                    return
    raise TimeoutError(f"what was committed to {topic} cannot be read back")
