"""An alert that nobody takes must not keep those behind it for ever."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from edge_agent.core.errors import SinkUnavailableError
from edge_agent.core.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.core.event import OutboxRow
    from edge_agent.core.protocols import Clock, EventSink

log = structlog.get_logger(__name__)

GIVEN_UP = "given_up"
"""The reason in publish_failures_total."""


class GivingUp:
    """An EventSink around another: an event that fails when it is older than `give_up_s` counts as done, loudly.

    Every event is tried at least once, also after a long pause or with a clock that was set.
    """

    def __init__(self, sink: EventSink, give_up_s: float, clock: Clock, telemetry: Telemetry) -> None:
        self._sink = sink
        self._give_up_s = give_up_s
        self._clock = clock
        self._telemetry = telemetry

    @property
    def name(self) -> str:
        """The inner sink's."""
        return self._sink.name

    async def recover(self, journal_id: str, last_seq: int) -> int:
        """As the inner sink."""
        return await self._sink.recover(journal_id, last_seq)

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        """As the inner sink, row by row, while the rows are young."""
        for row in rows:
            try:
                await self._sink.publish([row])
            except SinkUnavailableError as error:
                made = datetime.fromisoformat(row.event.time)
                if self._clock.now_ns() / 1e9 - made.astimezone(UTC).timestamp() <= self._give_up_s:
                    raise
                self._telemetry.publish_failed(self.name, GIVEN_UP)
                log.error(  # noqa: TRY400 - a traceback says nothing more
                    "an alert was not delivered and is given up", sink=self.name, id=row.event.id, reason=str(error)
                )

    async def check(self) -> None:
        """As the inner sink."""
        await self._sink.check()

    async def close(self) -> None:
        """As the inner sink."""
        await self._sink.close()


class OnlyPublishing(Telemetry):
    """Passes on what is published, but not how long it takes: the stage `publish` is the event log's."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def published(self, sink: str, events: int, at_s: float) -> None:
        """Events were acknowledged."""
        self._telemetry.published(sink, events, at_s)

    def publish_failed(self, sink: str, reason: str) -> None:
        """Publishing failed and will be tried again."""
        self._telemetry.publish_failed(sink, reason)
