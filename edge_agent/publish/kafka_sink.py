"""Exactly once into Kafka: events and the cursor that counts them are one transaction."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

from kafka import KafkaProducer
from kafka.errors import InvalidProducerEpochError, KafkaError, KafkaTimeoutError, ProducerFencedError

from edge_agent.core.errors import ConfigurationError, JournalError, SinkUnavailableError
from edge_agent.core.own_thread import OwnThread
from edge_agent.publish.cloudevent import binary_headers
from edge_agent.publish.kafka_clients import connect
from edge_agent.publish.kafka_cursor import Cursor, read_cursor
from edge_agent.publish.kafka_settings import KafkaSettings
from edge_agent.publish.kafka_topics import create_missing
from edge_agent.publish.kafka_trouble import explain, reach

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from edge_agent.core.event import OutboxRow

    T = TypeVar("T")

__all__ = ["KafkaSettings", "KafkaSink"]

SEND_PATIENCE_S = 8.0
"""How long records may take to be acknowledged: less than the transaction's own timeout."""
CONNECT_PATIENCE_S = 90.0
COMMIT_PATIENCE_S = 30.0
"""When a call into kafka-python is given up and its thread left to itself."""
CLOSE_PATIENCE_S = 2.0
CHECK_PATIENCE_S = 2.0
"""How long a broker may take to say who leads what."""


class KafkaSink:
    """One transactional producer an agent.

    A batch of events and a cursor record (journal and last sequence number; compacted topic, key = agent) are committed
    together. After a start, and after every commit that failed or whose fate is unknown, `init_transactions` fences whatever
    producer was there before, and the committed cursor says how far the journal is published.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topics = {
            "edge.frames": settings.topics.frames,
            "edge.alerts": settings.topics.alerts,
            "edge.agents": settings.topics.agents,
            "edge.baselines": settings.topics.baselines,
        }
        self._thread = OwnThread("kafka")
        self._producer: Any = None
        self._journal_id = ""
        self._existing: frozenset[str] | None = None
        self._strangers_cursor: Cursor | None = None
        self._recovered_before = False

    @property
    def name(self) -> str:
        """The value of the metric label `sink`."""
        return "kafka"

    async def recover(self, journal_id: str, last_seq: int) -> int:
        """Connect, fence, and return the last seq of this journal that is committed.

        Raises SinkUnavailableError while the broker is away, JournalError when the cursor is ahead of the journal, and
        ConfigurationError when another agent of this name publishes.
        """
        old_producer, self._producer = self._producer, None
        self._producer, cursor = await self._call(lambda: self._connect(old_producer), CONNECT_PATIENCE_S)
        self._journal_id = journal_id
        if cursor is not None and cursor.journal_id != journal_id:
            if self._recovered_before and cursor != self._strangers_cursor:
                raise ConfigurationError(
                    f"[agent] name = {self._settings.agent}",
                    f"another agent of this name publishes to {self._settings.address}",
                    "give each agent that shares a broker its own name",
                )
            self._strangers_cursor = cursor
            cursor = None
        self._recovered_before = True
        published = 0 if cursor is None else cursor.seq
        if published > last_seq:
            raise JournalError(
                f"Kafka topic {self._settings.topics.cursors}",
                f"has event {published} of journal {journal_id}, which itself has only {last_seq} (was an old copy restored?)",
                "put the newer journal back, or move the state directory's journal.sqlite3* away to begin a new journal",
            )
        return published

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        """Commit `rows` and the cursor behind them, all or none; after SinkUnavailableError only `recover` knows which."""
        producer, journal_id = self._producer, self._journal_id
        if producer is None:
            raise self._unavailable("is not connected")
        await self._call(lambda: self._transact(producer, journal_id, rows), COMMIT_PATIENCE_S)
        self._existing = (self._existing or frozenset()) | {self._settings.topics.cursors}

    async def check(self) -> None:
        """Have the broker say who leads what: a connection alone proves nothing of one that hangs."""
        producer = self._producer
        if producer is None:
            raise self._unavailable("is not connected")
        await self._call(lambda: _ask(producer), COMMIT_PATIENCE_S)

    async def close(self) -> None:
        """Abort what is open and let go; a broker that does not answer is not waited for."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(TimeoutError):
                await self._thread.call(lambda: _close(producer), CLOSE_PATIENCE_S)
        self._thread.end()

    async def _call(self, function: Callable[[], T], patience_s: float) -> T:
        """Run `function` in the thread; one that hangs keeps its thread and its producer, which the next recovery fences."""
        try:
            return await self._thread.call(function, patience_s)
        except TimeoutError as error:
            self._thread.end()
            self._thread = OwnThread("kafka")
            raise self._unavailable(f"has not answered for {patience_s:g} s") from error
        except KafkaError as error:
            raise self._unavailable(_told(error)) from error

    def _unavailable(self, reason: str) -> SinkUnavailableError:
        return SinkUnavailableError(
            f"Kafka at {self._settings.address}", reason, "start the broker or correct [kafka]; events wait in the journal"
        )

    # In the thread: nothing below touches what the loop may change meanwhile

    def _connect(self, old_producer: Any) -> tuple[Any, Cursor | None]:
        if old_producer is not None:
            _close(old_producer)
        try:
            return self._connected()
        except KafkaError as error:
            if isinstance(error, (ProducerFencedError, InvalidProducerEpochError)):
                raise
            raise explain(self._settings, error) from error

    def _connected(self) -> tuple[Any, Cursor | None]:
        reach(self._settings)
        if self._existing is None:
            self._existing = create_missing(self._settings)
        producer = connect(
            KafkaProducer,
            **self._settings.connection("producer"),
            transactional_id=self._settings.transactional_id,
            transaction_timeout_ms=self._settings.transaction_timeout_ms,
            delivery_timeout_ms=int(SEND_PATIENCE_S * 1000),
            max_block_ms=10_000,
            linger_ms=0,
            batch_size=262_144,
            metrics_enabled=False,
        )
        try:
            producer.init_transactions()
            return producer, read_cursor(self._settings, topic_exists=self._settings.topics.cursors in self._existing)
        except BaseException:
            _close(producer)
            raise

    def _transact(self, producer: Any, journal_id: str, rows: Sequence[OutboxRow]) -> None:
        producer.begin_transaction()
        sent = [
            producer.send(
                self._topics.get(row.event.topic, row.event.topic),
                value=row.event.data,
                key=row.event.key.encode(),
                headers=binary_headers(row, journal_id),
            )
            for row in rows
        ]
        cursor = Cursor(journal_id, rows[-1].seq)
        sent.append(producer.send(self._settings.topics.cursors, value=cursor.to_json(), key=self._settings.agent.encode()))
        deadline = time.monotonic() + SEND_PATIENCE_S
        for future in sent:  # a commit does not tell of records that were lost
            future.get(timeout=max(0.0, deadline - time.monotonic()))
        producer.commit_transaction()


def _ask(producer: Any) -> None:
    """Fetch the cluster's metadata anew, which kafka-python offers under no public name; raises KafkaError."""
    answered = threading.Event()
    future = producer._metadata.request_update()  # noqa: SLF001 - see above
    future.add_both(lambda _: answered.set())
    producer._sender.wakeup()  # noqa: SLF001 - as above
    if not answered.wait(CHECK_PATIENCE_S):
        raise KafkaTimeoutError(f"no answer for {CHECK_PATIENCE_S:g} s")
    if future.failed():
        raise future.exception


def _close(producer: Any) -> None:
    """Close without waiting for what was not sent: it is in the outbox still."""
    try:
        producer.close(timeout=0)
    except KafkaError:
        # close() flushes first and gives up when that fails; only its sender can drop what nobody will ever take
        sender = producer._sender  # noqa: SLF001 - see above
        sender.force_close()
        sender.join(1.0)
        with contextlib.suppress(KafkaError):
            producer.close(timeout=0)


def _told(error: KafkaError) -> str:
    if isinstance(error, (ProducerFencedError, InvalidProducerEpochError)):
        return "has fenced this producer (another of the same name, or a transaction that took too long)"
    text = " ".join(str(error).split())
    return f"failed: {text}" if text else f"failed: {type(error).__name__}"
