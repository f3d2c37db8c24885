"""A read-committed consumer that is not ours sees every event exactly once, whenever the agent dies and whatever the broker does."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaConsumer
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from edge_agent.core.clock import SystemClock
from edge_agent.core.errors import ConfigurationError, JournalError, SinkUnavailableError
from edge_agent.core.telemetry import NoTelemetry, Telemetry
from edge_agent.journal import Journal
from edge_agent.publish import KafkaSettings, KafkaSink, Publisher, agent_heartbeat, existing_topics, kafka_sink
from tests.peers.kafka import KafkaBroker, why_absent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from edge_agent.core.event import Event

pytestmark = pytest.mark.usefixtures("kcat")

TOPIC = "edge.agents"


@pytest.fixture
def agent() -> str:
    return f"agent-{uuid.uuid4().hex[:8]}"


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = await Journal.open(tmp_path / "state", clock=SystemClock())
    yield journal
    await journal.close()


@pytest.fixture
def own_broker(tmp_path: Path, missing: Callable[[str, str], None]) -> Iterator[KafkaBroker]:
    """A broker that the test may stop; not started yet."""
    if reason := why_absent():
        missing("kafka", reason)
    broker = KafkaBroker(tmp_path / "broker")
    try:
        yield broker
    finally:
        broker.kill()


def beats(agent: str, numbers: range) -> list[Event]:
    return [agent_heartbeat(agent, "sem", number * 1000, "ok", str(number)) for number in numbers]


def told(broker: KafkaBroker, agent: str, *, committed: bool = True) -> list[int]:
    """The numbers of `agent`'s heartbeats in the order in which they stand in the topic."""
    return [int(r.value["reason"]) for r in broker.read(TOPIC, committed=committed) if r.key == f"{agent}/sem"]


def sink_of(broker: KafkaBroker, agent: str, **options: int) -> KafkaSink:
    return KafkaSink(KafkaSettings(agent, (broker.address,), **options))


@contextlib.asynccontextmanager
async def publishing(journal: Journal, sink: KafkaSink, telemetry: Telemetry | None = None) -> AsyncIterator[Publisher]:
    publisher = Publisher(journal, sink, SystemClock(), telemetry or NoTelemetry())
    task = asyncio.create_task(publisher.run())
    try:
        yield publisher
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await sink.close()


async def test_every_event_arrives_once_in_order_with_its_headers(kafka: KafkaBroker, journal: Journal, agent: str) -> None:
    await journal.append(beats(agent, range(1200)))
    async with publishing(journal, sink_of(kafka, agent)) as publisher:
        publisher.wake()
        await publisher.drained()
        assert publisher.state.ok
    assert await journal.outbox_backlog() == (0, None)
    assert told(kafka, agent) == list(range(1200))
    record = next(record for record in kafka.read(TOPIC) if record.key == f"{agent}/sem")
    event = beats(agent, range(1))[0]
    assert record.headers == {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": event.id,
        "ce_source": f"/edge-agent/{agent}",
        "ce_type": "edge.agent.heartbeat.v1",
        "ce_time": "1970-01-01T00:00:00.000000Z",
        "ce_subject": "sem",
        "ce_journalid": journal.journal_id,
        "ce_sequence": f"{1:020d}",
    }


async def test_the_cursor_topic_is_compacted_and_holds_the_last_number(kafka: KafkaBroker, journal: Journal, agent: str) -> None:
    await journal.append(beats(agent, range(3)))
    async with publishing(journal, sink_of(kafka, agent)) as publisher:
        publisher.wake()
        await publisher.drained()
    cursors = [record.value for record in kafka.read("edge.cursors") if record.key == agent]
    assert cursors[-1] == {"journal_id": journal.journal_id, "seq": 3}
    admin = KafkaAdminClient(bootstrap_servers=kafka.address)
    configuration = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, "edge.cursors")])
    admin.close()
    assert "'compact'" in str(configuration)


PUBLISH_AND_DIE = """
import asyncio, os, sys
from pathlib import Path
from edge_agent.core.clock import SystemClock
from edge_agent.journal import Journal
from edge_agent.publish import KafkaSettings, KafkaSink
from edge_agent.publish import kafka_sink

moment, state, address, agent = sys.argv[1:]

class Dying:
    def __init__(self, producer):
        self._producer, self._sent = producer, 0
    def __getattr__(self, name):
        return getattr(self._producer, name)
    def send(self, *arguments, **named):
        self._sent += 1
        if moment == "between two sends" and self._sent == 5:
            self._producer.flush()
            os.kill(os.getpid(), 9)
        return self._producer.send(*arguments, **named)
    def commit_transaction(self):
        if moment == "before the commit":
            os.kill(os.getpid(), 9)
        self._producer.commit_transaction()

async def main():
    journal = await Journal.open(Path(state), clock=SystemClock())
    sink = KafkaSink(KafkaSettings(agent, (address,)))
    await journal.mark_published(await sink.recover(journal.journal_id, await journal.last_seq()))
    sink._producer = Dying(sink._producer)
    rows = await journal.unsent(10)
    await sink.publish(rows)
    if moment == "before the mark":
        os.kill(os.getpid(), 9)
    await journal.mark_published(rows[-1].seq)
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


def publish_and_die(moment: str, state: Path, broker: KafkaBroker, agent: str) -> int:
    return subprocess.run([sys.executable, "-c", PUBLISH_AND_DIE, moment, str(state), broker.address, agent], check=False).returncode


@pytest.mark.parametrize(
    ("moment", "published"),
    [("between two sends", 0), ("before the commit", 0), ("before the mark", 10), ("after the mark", 10)],
)
async def test_kill_nine_at_any_point_of_a_batch(kafka: KafkaBroker, tmp_path: Path, agent: str, moment: str, published: int) -> None:
    state = tmp_path / "state"
    journal = await Journal.open(state, clock=SystemClock())
    await journal.append(beats(agent, range(20)))
    await journal.close()
    assert publish_and_die(moment, state, kafka, agent) == -9
    journal = await Journal.open(state, clock=SystemClock())
    sink = sink_of(kafka, agent)
    try:
        assert await sink.recover(journal.journal_id, await journal.last_seq()) == published
    finally:
        await sink.close()
    async with publishing(journal, sink_of(kafka, agent)) as publisher:
        publisher.wake()
        await publisher.drained()
    await journal.close()
    assert told(kafka, agent) == list(range(20))


async def test_a_zombie_is_fenced_and_its_events_are_told_once(kafka: KafkaBroker, journal: Journal, agent: str) -> None:
    await journal.append(beats(agent, range(4)))
    zombie = sink_of(kafka, agent)
    await zombie.recover(journal.journal_id, 4)
    heir = sink_of(kafka, agent)
    try:
        assert await heir.recover(journal.journal_id, 4) == 0
        with pytest.raises(SinkUnavailableError):
            await zombie.publish(await journal.unsent(10))
        await heir.publish(await journal.unsent(10))
        await journal.mark_published(4)
        assert await zombie.recover(journal.journal_id, 4) == 4
    finally:
        await zombie.close()
        await heir.close()
    assert told(kafka, agent) == [0, 1, 2, 3]


async def test_two_agents_of_one_name_are_told_apart(kafka: KafkaBroker, journal: Journal, tmp_path: Path, agent: str) -> None:
    other = await Journal.open(tmp_path / "other", clock=SystemClock())
    await journal.append(beats(agent, range(2)))
    await other.append(beats(agent, range(10, 12)))
    async with publishing(journal, sink_of(kafka, agent)) as first:
        first.wake()
        await first.drained()
        second = sink_of(kafka, agent)
        # an unknown journal's cursor is not applied: a lost state directory must not stop an agent
        assert await second.recover(other.journal_id, 2) == 0
        await second.publish(await other.unsent(10))
        intruded = sink_of(kafka, agent)
        await intruded.close()
    ours = sink_of(kafka, agent)
    try:
        await ours.recover(journal.journal_id, 2)
        assert await second.recover(other.journal_id, 2) == 2
        await other.append(beats(agent, range(12, 13)))
        await second.publish((await other.unsent(10))[2:])
        with pytest.raises(ConfigurationError, match=r"another agent of this name .* its own name"):
            await ours.recover(journal.journal_id, 2)
    finally:
        await ours.close()
        await second.close()
        await other.close()


async def test_a_journal_older_than_its_cursor_is_refused_with_a_way_out(kafka: KafkaBroker, journal: Journal, agent: str) -> None:
    await journal.append(beats(agent, range(5)))
    async with publishing(journal, sink_of(kafka, agent)) as publisher:
        publisher.wake()
        await publisher.drained()
    sink = sink_of(kafka, agent)
    try:
        with pytest.raises(JournalError, match=r"has event 5 .* put the newer journal back"):
            await sink.recover(journal.journal_id, 4)
    finally:
        await sink.close()


async def test_a_cursor_topic_out_of_sight_is_not_taken_for_an_empty_one(
    kafka: KafkaBroker, journal: Journal, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await journal.append(beats(agent, range(5)))
    sink = sink_of(kafka, agent)
    try:
        await sink.recover(journal.journal_id, 5)
        await sink.publish(await journal.unsent(5))
        with monkeypatch.context() as freshly_started:
            freshly_started.setattr(KafkaConsumer, "partitions_for_topic", lambda *_: set())
            with pytest.raises(SinkUnavailableError, match=r"edge\.cursors, which says what was published, cannot be seen"):
                await sink.recover(journal.journal_id, 5)
        assert await sink.recover(journal.journal_id, 5) == 5
    finally:
        await sink.close()


async def test_the_topics_of_a_broker_that_answers_are_known(kafka: KafkaBroker, journal: Journal, agent: str) -> None:
    sink = sink_of(kafka, agent)
    await sink.recover(journal.journal_id, 0)
    await sink.close()
    assert {TOPIC, "edge.cursors"} <= existing_topics(KafkaSettings("doctor", (kafka.address,)))


async def test_a_broker_that_creates_topics_only_by_itself_is_published_to(
    own_broker: KafkaBroker, journal: Journal, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_sink, "create_missing", lambda _settings: frozenset())
    own_broker.start()
    await journal.append(beats(agent, range(5)))
    async with publishing(journal, sink_of(own_broker, agent)) as publisher:
        publisher.wake()
        await asyncio.wait_for(publisher.drained(), 60)
    assert told(own_broker, agent) == list(range(5))


async def test_a_cursor_is_found_behind_thousands_of_others(kafka: KafkaBroker, journal: Journal, agent: str) -> None:
    await journal.append(beats(agent, range(1)))
    sink = sink_of(kafka, agent)
    await sink.recover(journal.journal_id, 1)
    await sink.publish(await journal.unsent(1))
    await sink.close()

    def crowd() -> None:
        lines = "".join(f"someone-else-{number}:{{}}\n" for number in range(5_000))
        command = ["kcat", "-P", "-b", kafka.address, "-t", "edge.cursors", "-K", ":"]
        subprocess.run(command, input=lines.encode(), check=True, timeout=30)

    await asyncio.to_thread(crowd)
    again = sink_of(kafka, agent)
    try:
        assert await again.recover(journal.journal_id, 1) == 1
    finally:
        await again.close()


class Heard(Telemetry):
    def __init__(self) -> None:
        self.failures = 0
        self.failed = asyncio.Event()
        self.sent = 0

    def publish_failed(self, sink: str, reason: str) -> None:
        self.failures += 1
        self.failed.set()

    def published(self, sink: str, events: int, at_s: float) -> None:
        self.sent += events


async def test_a_broker_that_is_down_from_the_start_and_then_comes_up(own_broker: KafkaBroker, journal: Journal, agent: str) -> None:
    heard = Heard()
    await journal.append(beats(agent, range(7)))
    async with publishing(journal, sink_of(own_broker, agent), heard) as publisher:
        publisher.wake()
        await asyncio.wait_for(heard.failed.wait(), 30)
        assert not publisher.state.ok
        assert own_broker.address in publisher.state.reason
        assert (await journal.outbox_backlog())[0] == 7
        await asyncio.to_thread(own_broker.start)
        await asyncio.wait_for(publisher.drained(), 60)
        assert publisher.state.ok
    assert heard.sent == 7
    assert told(own_broker, agent) == list(range(7))


async def test_a_broker_that_is_stopped_midway_and_comes_back(own_broker: KafkaBroker, journal: Journal, agent: str) -> None:
    heard = Heard()
    own_broker.start()
    async with publishing(journal, sink_of(own_broker, agent), heard) as publisher:
        for outage, end in enumerate((own_broker.stop, own_broker.kill)):
            start = outage * 40
            await journal.append(beats(agent, range(start, start + 20)))
            publisher.wake()
            await asyncio.wait_for(publisher.drained(), 60)
            heard.failed.clear()
            await asyncio.to_thread(end)
            await journal.append(beats(agent, range(start + 20, start + 40)))
            publisher.wake()
            if end == own_broker.stop:  # a longer outage, with tries that fail; the other is over before the first try is
                await asyncio.wait_for(heard.failed.wait(), 60)
            await asyncio.to_thread(own_broker.start)
            await asyncio.wait_for(publisher.drained(), 60)
    assert told(own_broker, agent) == list(range(80))


async def test_a_broker_that_hangs_is_survived(own_broker: KafkaBroker, journal: Journal, agent: str) -> None:
    heard = Heard()
    own_broker.start()
    async with publishing(journal, sink_of(own_broker, agent), heard) as publisher:
        await journal.append(beats(agent, range(5)))
        publisher.wake()
        await asyncio.wait_for(publisher.drained(), 60)
        own_broker.freeze()
        await journal.append(beats(agent, range(5, 10)))
        publisher.wake()
        try:
            await asyncio.wait_for(heard.failed.wait(), 60)
        finally:
            own_broker.thaw()
        await asyncio.wait_for(publisher.drained(), 60)
    assert told(own_broker, agent) == list(range(10))


async def test_closing_does_not_wait_for_a_broker_that_hangs(own_broker: KafkaBroker, journal: Journal, agent: str) -> None:
    own_broker.start()
    sink = sink_of(own_broker, agent)
    await journal.append(beats(agent, range(5)))
    await sink.recover(journal.journal_id, 5)
    own_broker.freeze()
    sending = asyncio.create_task(sink.publish(await journal.unsent(5)))
    await asyncio.sleep(0)
    sending.cancel()
    await asyncio.wait_for(sink.close(), 5)
