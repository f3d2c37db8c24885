"""The publisher tells everything, in order, once, however often its sink fails."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from edge_agent.core.clock import SystemClock
from edge_agent.core.errors import JournalError, JournalFullError, SinkUnavailableError
from edge_agent.core.event import Event, OutboxRow
from edge_agent.core.telemetry import Telemetry
from edge_agent.publish import Publisher, publisher
from tests.watched import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


class MemoryOutbox:
    journal_id = "j"

    def __init__(self, count: int) -> None:
        self.rows: list[OutboxRow] = []
        self.published = 0
        self.full = 0
        self.add(count)

    def add(self, count: int) -> None:
        for _ in range(count):
            seq = len(self.rows) + 1
            self.rows.append(OutboxRow(seq, Event(str(seq), "t", "/", None, "", "edge.agents", "k", b"{}")))

    async def unsent(self, limit: int) -> list[OutboxRow]:
        return self.rows[self.published : self.published + limit]

    async def mark_published(self, up_to: int) -> None:
        if self.full:
            self.full -= 1
            raise JournalFullError("journal", "is full", "free space")
        self.published = max(self.published, up_to)

    async def last_seq(self) -> int:
        return len(self.rows)


class FlakySink:
    """Fails as its script says: at recovery, before a batch is durable, or after it is."""

    name = "flaky"

    def __init__(self, *script: str) -> None:
        self.script = list(script)
        self.durable: list[int] = []
        self.recovered = False

    def _next(self, *moments: str) -> str | None:
        return self.script.pop(0) if self.script and self.script[0] in moments else None

    async def recover(self, journal_id: str, last_seq: int) -> int:
        if self._next("recover"):
            raise SinkUnavailableError("sink", "is away", "wait")
        if self._next("foreign"):
            raise JournalError("sink", "is ahead", "mend it")
        self.recovered = True
        return self.durable[-1] if self.durable else 0

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        assert self.recovered, "after a failure comes a recovery"
        moment = self._next("before", "after")
        if moment != "before":
            self.durable += [row.seq for row in rows]
        if moment:
            self.recovered = False
            raise SinkUnavailableError("sink", f"failed {moment}", "wait")

    async def check(self) -> None:
        if self._next("idle"):
            self.recovered = False
            raise SinkUnavailableError("sink", "went while nothing was told", "wait")

    async def close(self) -> None:
        pass


class Heard(Telemetry):
    def __init__(self) -> None:
        self.sent: list[int] = []
        self.failures: list[str] = []
        self.failed = asyncio.Event()

    async def another_failure(self) -> None:
        self.failed.clear()
        await asyncio.wait_for(self.failed.wait(), 5)

    def published(self, sink: str, events: int, at_s: float) -> None:
        self.sent.append(events)

    def publish_failed(self, sink: str, reason: str) -> None:
        self.failures.append(reason)
        self.failed.set()


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(publisher, "LONGEST_WAIT_S", 0.002)


@contextlib.asynccontextmanager
async def running(outbox: MemoryOutbox, sink: FlakySink, heard: Heard) -> AsyncIterator[Publisher]:
    made = Publisher(outbox, sink, SystemClock(), heard)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(
    "script",
    [(), ("recover",), ("before",), ("after",), ("after", "recover", "recover", "before", "after"), ("recover", "after", "after", "after")],
)
async def test_everything_is_told_once_whatever_fails(script: tuple[str, ...]) -> None:
    outbox, sink, heard = MemoryOutbox(1203), FlakySink(*script), Heard()
    async with running(outbox, sink, heard) as made:
        assert not made.state.ok
        await asyncio.wait_for(made.drained(), 5)
        assert made.state.ok
        outbox.add(2)
        made.wake()
        await asyncio.wait_for(made.drained(), 5)
    assert sink.durable == list(range(1, 1206))
    assert outbox.published == 1205
    assert heard.failures == ["unavailable"] * len(script)
    assert sink.script == []


async def test_while_the_sink_is_away_the_state_says_why_and_since_when() -> None:
    outbox, sink, heard = MemoryOutbox(1), FlakySink(), Heard()
    async with running(outbox, sink, heard) as made:
        await asyncio.wait_for(made.drained(), 5)
        sink.script = ["before"] + ["recover"] * 10_000
        outbox.add(1)
        made.wake()
        await heard.another_failure()
        await heard.another_failure()
        first = made.state
        assert not first.ok
        assert "is away" in first.reason
        await heard.another_failure()
        assert made.state.since_ns == first.since_ns
        sink.script = []
        await asyncio.wait_for(made.drained(), 5)
        assert made.state.ok


async def test_a_sink_that_says_nothing_counts_as_away_before_its_try_has_failed() -> None:
    class Hands(SystemClock):
        at_s = 0.0

        def monotonic_s(self) -> float:
            return self.at_s

    class Hanging(FlakySink):
        asked, answer = asyncio.Event(), asyncio.Event()

        async def publish(self, rows: Sequence[OutboxRow]) -> None:
            self.asked.set()
            await self.answer.wait()
            await super().publish(rows)

    outbox, sink, clock = MemoryOutbox(0), Hanging(), Hands()
    made = Publisher(outbox, sink, clock, Heard())
    task = asyncio.create_task(made.run())
    await asyncio.wait_for(made.drained(), 5)
    outbox.add(1)
    made.wake()
    await asyncio.wait_for(sink.asked.wait(), 5)
    clock.at_s += publisher.SILENT_S - 0.1
    assert made.state.ok, "a slow broker is not away"
    clock.at_s += 0.2
    assert (made.state.ok, made.state.reason) == (False, "flaky has not answered for 3 s")
    sink.answer.set()
    await asyncio.wait_for(made.drained(), 5)
    assert made.state.ok
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_full_journal_is_waited_for() -> None:
    outbox, sink, heard = MemoryOutbox(3), FlakySink(), Heard()
    outbox.full = 3
    async with running(outbox, sink, heard) as made:
        await asyncio.wait_for(made.drained(), 5)
    assert sink.durable == [1, 2, 3]


async def test_what_waiting_cannot_mend_ends_the_publisher() -> None:
    made = Publisher(MemoryOutbox(1), FlakySink("foreign"), SystemClock(), Heard())
    with pytest.raises(JournalError, match="is ahead"):
        await made.run()


async def test_finish_sends_what_is_left_or_says_that_it_cannot() -> None:
    outbox, sink, heard = MemoryOutbox(3), FlakySink("recover"), Heard()
    made = Publisher(outbox, sink, SystemClock(), heard)
    with pytest.raises(SinkUnavailableError):
        await made.finish()
    await made.finish()
    assert sink.durable == [1, 2, 3]


async def test_a_sink_that_goes_while_nothing_is_told_is_missed_and_recovered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "CHECK_EVERY_S", 0.01)
    outbox, sink, heard = MemoryOutbox(1), FlakySink("idle", "recover", "recover"), Heard()
    async with running(outbox, sink, heard) as made:
        await asyncio.wait_for(made.drained(), 5)
        await heard.another_failure()
        assert "went while nothing was told" in made.state.reason
        await until(lambda: made.state.ok)
        assert heard.failures == ["unavailable"] * 3
        assert sink.recovered, "nothing but a recovery proves that it is back"
        outbox.add(1)
        made.wake()
        await asyncio.wait_for(made.drained(), 5)
    assert sink.durable == [1, 2]
