"""One agent's life: parts built, run side by side, stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import TYPE_CHECKING

import structlog

from edge_agent import __version__
from edge_agent.agent.chores import Chores
from edge_agent.agent.compose import NAMES_NONE, check_folders, check_places
from edge_agent.agent.parts import assemble
from edge_agent.core.clock import SystemClock
from edge_agent.core.errors import EdgeAgentError, PredictorUnavailableError, SinkUnavailableError
from edge_agent.publish import OPENED, QUARANTINED, SCORED, agent_stopped

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.agent.parts import Parts
    from edge_agent.config import Settings
    from edge_agent.core.event import Event
    from edge_agent.core.protocols import Clock

log = structlog.get_logger(__name__)

FAREWELL_S = 3.0
"""How long an orderly stop waits for the last events to be acknowledged."""
ONCE_PATIENCE_S = 60.0
"""How long --once waits for a model, a folder or a broker that is away."""


class Agent:
    """Watches, judges and tells until it is stopped.

    Args:
        settings: as `load_settings` gives them.
        once: end when the backlog is done and told.
        on_event: called on the loop's thread with every event once it is committed.
        clock: the time.
    """

    def __init__(
        self, settings: Settings, *, once: bool = False, on_event: Callable[[Event], None] | None = None, clock: Clock | None = None
    ) -> None:
        self.settings = settings
        self.once = once
        self.url = ""
        """Where metrics and health are served, once running."""
        self._on_event = on_event
        self._clock = clock or SystemClock()
        self._stop = asyncio.Event()
        self._stop_reason = "finished"
        self._heard: Counter[str] = Counter()

    def stop(self, reason: str = "asked to") -> None:
        """Ask for an orderly end; call on the loop's thread."""
        self._stop_reason = reason
        self._stop.set()

    async def run(self) -> None:
        """Run until stopped, or with `once` until the backlog is done; raises EdgeAgentError for what waiting cannot mend."""
        check_places(self.settings)
        if self.once:
            check_folders(self.settings)
        async with contextlib.AsyncExitStack() as release:
            parts = await assemble(self.settings, once=self.once, on_event=self._hear, clock=self._clock, release=release)
            self.url = parts.server.url
            await self._live(parts)
            await self._say_farewell(parts)

    async def _live(self, parts: Parts) -> None:
        chores = Chores(self.settings, parts, self._clock)
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(parts.watchdog.run()), tasks.create_task(parts.publisher.run())]
            await chores.first_answers()
            await chores.announce()
            running += [
                tasks.create_task(parts.pipeline.run()),
                tasks.create_task(chores.beat()),
                tasks.create_task(chores.count_outbox()),
                tasks.create_task(chores.look_for_room()),
                tasks.create_task(chores.tidy()),
                tasks.create_task(chores.prune()),
                tasks.create_task(chores.forget()),
                tasks.create_task(parts.evidence.run()),
                *(tasks.create_task(told.publisher.run()) for told in parts.told),
                *(tasks.create_task(chores.ask_canaries(name, remote)) for name, remote in parts.predictors.remote.items()),
            ]
            if self.once:
                running.append(tasks.create_task(self._work_off(parts)))
            else:
                running += [tasks.create_task(watcher.run()) for watcher in parts.watchers]
            self._say_hello(parts)
            await self._stop.wait()
            log.info("stopping", reason=self._stop_reason)
            parts.watchdog.stopping()
            for task in running:
                task.cancel()

    def _say_hello(self, parts: Parts) -> None:
        for line in parts.lines:
            log.info("stream", name=line.name, folder=str(line.root), guarantee=line.guarantee)
            if line.sample.source in NAMES_NONE:
                log.warning("the stream names no samples: set its sample rule if its files or folders can tell them", name=line.name)
        parts.watchdog.ready(f"watching {', '.join(line.name for line in parts.lines)}")
        log.info("running", version=__version__, metrics=self.url, state_dir=str(self.settings.agent.place))

    async def _work_off(self, parts: Parts) -> None:
        """Do what is there, tell it, and end."""
        for watcher in parts.watchers:
            await watcher.drain()
        finished = asyncio.ensure_future(parts.pipeline.drained())
        stuck_s = 0.0
        while not (await asyncio.wait([finished], timeout=1.0))[0]:
            waits = parts.pipeline.waiting_for
            stuck_s = stuck_s + 1.0 if waits else 0.0
            if stuck_s >= ONCE_PATIENCE_S:
                reason = "; ".join(f"{part}: {why}" for part, why in waits.items())
                raise PredictorUnavailableError(
                    "frames", f"some are not done ({reason})", "run --once again when that is mended: nothing is lost"
                )
        try:
            await asyncio.wait_for(parts.publisher.drained(), ONCE_PATIENCE_S)
        except TimeoutError:
            raise SinkUnavailableError(
                "events",
                f"the frames are done, but their events are still unsent ({parts.publisher.state.reason})",
                "run --once again when the broker is back: nothing is lost",
            ) from None
        for told in parts.told:
            try:
                await asyncio.wait_for(told.publisher.drained(), ONCE_PATIENCE_S)
            except TimeoutError:
                raise SinkUnavailableError(
                    "alerts",
                    f"the frames are done, but {told.name} has not taken every alert ({told.publisher.state.reason})",
                    "run --once again when that is mended: nothing is lost",
                ) from None
        try:
            await asyncio.wait_for(parts.evidence.drained(), ONCE_PATIENCE_S)
        except TimeoutError:
            log.warning("pictures of the evidence are not made yet; the next run makes them")
        heard = self._heard
        log.info(
            "what was there is done and told" if heard else "nothing new was there",
            scored=heard[SCORED],
            quarantined=heard[QUARANTINED],
            alerts=heard[OPENED],
            more="edge-agent status",
        )
        self.stop("the backlog is done")

    def _hear(self, event: Event) -> None:
        self._heard[event.type] += 1
        if self._on_event is not None:
            self._on_event(event)

    async def _say_farewell(self, parts: Parts) -> None:
        for told in parts.told:
            if told.publisher.state.ok:
                with contextlib.suppress(EdgeAgentError, TimeoutError):
                    await asyncio.wait_for(told.publisher.finish(), FAREWELL_S / len(parts.told))
        with contextlib.suppress(EdgeAgentError, TimeoutError):
            await parts.journal.append([agent_stopped(self.settings.agent.name, self._clock.now_ns(), self._stop_reason)])
            await asyncio.wait_for(parts.publisher.finish(), FAREWELL_S)
