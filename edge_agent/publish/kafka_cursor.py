"""The cursor: which event of which journal an agent published last, in a compacted topic."""

from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError, UnknownTopicOrPartitionError

from edge_agent.core.errors import SinkUnavailableError
from edge_agent.publish.kafka_clients import connect

if TYPE_CHECKING:
    from edge_agent.publish.kafka_settings import KafkaSettings

TAIL_RECORDS = 2_000
"""How far from the end the newest cursor is looked for first; eight times as far each time it is not there."""
FIRST_FETCH_PATIENCE_S = 30.0
"""Longer than another agent's open transaction can hold up a read-committed reader."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last event of a journal that is durably published."""

    journal_id: str
    seq: int

    def to_json(self) -> bytes:
        """The cursor record's value."""
        return json.dumps({"journal_id": self.journal_id, "seq": self.seq}).encode()

    @classmethod
    def from_json(cls, value: bytes, topic: str) -> Cursor:
        """Read what `to_json` wrote.

        Raises SinkUnavailableError for anything else: to go on without a cursor would be to publish twice.
        """
        try:
            fields = json.loads(value)
            journal_id, seq = fields["journal_id"], fields["seq"]
        except (ValueError, TypeError, LookupError, RecursionError):
            journal_id = seq = None
        if type(journal_id) is not str or type(seq) is not int or seq < 0:
            raise SinkUnavailableError(
                f"topic {topic}",
                f"this agent's newest record in it is no cursor ({value[:60]!r})",
                "find out who else may write there; the record before it, written again, mends it",
            )
        return cls(journal_id, seq)


def read_cursor(settings: KafkaSettings, *, topic_exists: bool) -> Cursor | None:
    """The newest committed cursor of `settings.agent`, or None.

    To be called after `init_transactions`, which has ended every transaction of this agent: what is committed up to the end
    of the topic as it is then, uncommitted records included, is all there will ever be of earlier producers.

    Raises KafkaError where the topic cannot be seen though it exists (`topic_exists`), or may: a broker that has just started may
    not know its topics yet, and one that does not let us describe them hides them. To take that for "nothing was published" would
    be to publish twice.
    """
    topic = settings.topics.cursors
    consumer = connect(
        KafkaConsumer,
        **settings.connection("cursor"),
        isolation_level="read_committed",
        enable_auto_commit=False,
        group_id=None,
        auto_offset_reset="earliest",
    )
    with closing(consumer):
        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        if not partitions:
            if topic_exists or not _is_absent(settings, topic):
                raise UnknownTopicOrPartitionError(f"topic {topic}, which says what was published, cannot be seen")
            return None
        ends = _ends(settings, partitions)
        begins = consumer.beginning_offsets(partitions)
        found = [_newest(consumer, settings.agent, partition, begins[partition], ends[partition]) for partition in partitions]
        # With one partition there is one newest; where someone added partitions, the farthest of ours is.
        return max((cursor for cursor in found if cursor is not None), key=lambda cursor: cursor.seq, default=None)


def _is_absent(settings: KafkaSettings, topic: str) -> bool:
    """Whether the broker says of this very topic that there is none, rather than that it may not be described."""
    with closing(connect(KafkaAdminClient, **settings.connection("cursor-topic"))) as admin:
        (told,) = admin.describe_topics([topic])
        return bool(told["error_code"] == UnknownTopicOrPartitionError.errno)


def _ends(settings: KafkaSettings, partitions: list[Any]) -> dict[Any, int]:
    with closing(
        connect(KafkaConsumer, **settings.connection("cursor-end"), isolation_level="read_uncommitted", group_id=None)
    ) as consumer:
        ends: dict[Any, int] = consumer.end_offsets(partitions)
        return ends


def _newest(consumer: Any, agent: str, partition: Any, begin: int, end: int) -> Cursor | None:
    """Read backwards in growing steps until this agent's newest cursor is found."""
    reach = TAIL_RECORDS
    while end > begin:
        start = max(begin, end - reach)
        found = _newest_between(consumer, agent, partition, start, end)
        if found is not None or start == begin:
            return found
        reach *= 8
    return None


def _newest_between(consumer: Any, agent: str, partition: Any, start: int, end: int) -> Cursor | None:
    consumer.assign([partition])
    consumer.seek(partition, start)
    newest: bytes | None = None
    deadline = time.monotonic() + FIRST_FETCH_PATIENCE_S
    while consumer.position(partition) < end:
        for record in consumer.poll(timeout_ms=100).get(partition, ()):
            if record.offset < end and record.key == agent.encode() and record.value is not None:
                newest = record.value
        if time.monotonic() > deadline:
            raise KafkaTimeoutError(f"the cursor topic {partition.topic} could not be read to its end")
    return None if newest is None else Cursor.from_json(newest, partition.topic)
