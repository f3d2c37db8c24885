"""Carries the outbox to a sink: in order, without loss, and again after every failure."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from edge_agent.core.errors import JournalFullError, SinkUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.core.protocols import Clock, EventSink, Outbox
    from edge_agent.core.telemetry import Telemetry

log = structlog.get_logger(__name__)

ROWS = 500
"""Events that are published together at most, unless told otherwise."""
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 1.0
"""Pauses between tries double up to this one: a sink that is back is used within 2 s."""
CHECK_EVERY_S = 2.0
"""With nothing to publish the sink is asked this often whether it is there."""
SILENT_S = 3.0
"""A sink that was asked and says nothing for so long counts as away, whatever time a try may take in the end."""


@dataclass(frozen=True, slots=True)
class PublisherState:
    """How publishing stands.

    Attributes:
        ok: whether the last try succeeded; while it is not, the journal buffers.
        reason: why events are buffered; "" when they are not.
        since_ns: since when, nanoseconds since the epoch.
    """

    ok: bool
    reason: str
    since_ns: int


class Publisher:
    """Publishes what the outbox holds whenever it is woken.

    Args:
        outbox: the journal.
        sink: where events go; closing it is its owner's business.
        clock: for `state` and telemetry.
        telemetry: hears of every success and failure.
        rows: events that are published together at most.
        longest_wait_s: pauses between tries double up to this one; LONGEST_WAIT_S when None.
        silent_s: how long a try may take before the state says that the sink does not answer; SILENT_S when None.
    """

    def __init__(
        self,
        outbox: Outbox,
        sink: EventSink,
        clock: Clock,
        telemetry: Telemetry,
        *,
        rows: int = ROWS,
        longest_wait_s: float | None = None,
        silent_s: float | None = None,
    ) -> None:
        self._outbox = outbox
        self._sink = sink
        self._clock = clock
        self._telemetry = telemetry
        self._rows = rows
        self._longest_wait_s = LONGEST_WAIT_S if longest_wait_s is None else longest_wait_s
        self._recovered = False
        self._work = asyncio.Event()
        self._empty = asyncio.Event()
        self._silent_s = SILENT_S if silent_s is None else silent_s
        self._asked_s: float | None = None
        self._state = PublisherState(ok=False, reason=f"{sink.name} has not been reached yet", since_ns=clock.now_ns())

    @property
    def state(self) -> PublisherState:
        """How publishing stands; a sink that is overdue counts as away before the try at it has failed."""
        overdue_s = 0.0 if self._asked_s is None else self._clock.monotonic_s() - self._asked_s
        if not self._state.ok or overdue_s < self._silent_s:
            return self._state
        since_ns = self._clock.now_ns() - int(overdue_s * 1e9)
        return PublisherState(ok=False, reason=f"{self._sink.name} has not answered for {overdue_s:.0f} s", since_ns=since_ns)

    def wake(self) -> None:
        """Say that something was committed; call on the loop's thread."""
        self._empty.clear()
        self._work.set()

    async def run(self) -> None:
        """Publish until cancelled; raises what waiting cannot mend, such as a second agent of the same name."""
        wait_s = FIRST_WAIT_S
        while True:
            self._work.clear()
            try:
                while await self._step():
                    wait_s = FIRST_WAIT_S
                wait_s = FIRST_WAIT_S
                if not self._work.is_set():
                    self._empty.set()
                await self._rest()
            except (SinkUnavailableError, JournalFullError) as error:
                self._failed(error)
                await asyncio.sleep(wait_s)
                wait_s = min(self._longest_wait_s, 2 * wait_s)

    async def _rest(self) -> None:
        """Wait for something to publish; a sink that is lost meanwhile is told of before an event has to wait for it."""
        while not self._work.is_set():
            try:
                async with asyncio.timeout(CHECK_EVERY_S):
                    await self._work.wait()
            except TimeoutError:
                self._recovered = False  # should it fail, only a recovery proves that the sink is back
                with self._asked():
                    await self._sink.check()
                self._recovered = True

    async def drained(self) -> None:
        """Wait until everything that was committed has been acknowledged; needs `run` to run."""
        await self._empty.wait()

    async def finish(self) -> None:
        """Publish what is left, once, after `run` has ended; raises SinkUnavailableError when the sink is away."""
        while await self._step():
            pass

    async def _step(self) -> bool:
        """Publish one batch; False when nothing was left."""
        if not self._recovered:
            last_seq = await self._outbox.last_seq()
            with self._asked():
                durable = await self._sink.recover(self._outbox.journal_id, last_seq)
            await self._outbox.mark_published(durable)
            self._recovered = True
        rows = await self._outbox.unsent(self._rows)
        if not rows:
            self._succeeded()
            return False
        began = time.perf_counter()
        self._recovered = False  # until this batch is known to be durable, only the sink knows what is
        with self._asked():
            await self._sink.publish(rows)
        await self._outbox.mark_published(rows[-1].seq)
        self._recovered = True
        self._telemetry.stage_time("publish", time.perf_counter() - began)
        self._telemetry.published(self._sink.name, len(rows), self._clock.now_ns() / 1e9)
        self._succeeded()
        return True

    @contextmanager
    def _asked(self) -> Iterator[None]:
        self._asked_s = self._clock.monotonic_s()
        try:
            yield
        finally:
            self._asked_s = None

    def _succeeded(self) -> None:
        if not self._state.ok:
            log.info("events reach their sink", sink=self._sink.name)
            self._state = PublisherState(ok=True, reason="", since_ns=self._clock.now_ns())

    def _failed(self, error: SinkUnavailableError | JournalFullError) -> None:
        self._telemetry.publish_failed(self._sink.name, "unavailable")
        if self._state.ok or self._state.reason != str(error):
            log.warning("events are buffered", sink=self._sink.name, reason=str(error))
            since_ns = self._clock.now_ns() if self._state.ok else self._state.since_ns
            self._state = PublisherState(ok=False, reason=str(error), since_ns=since_ns)
