"""What an agent does beside its frames: canaries, life signs, the outbox's gauge, retention, and alerts that nobody will close any more."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from typing import TYPE_CHECKING

import structlog

from edge_agent.agent.forgetting import Forgetting
from edge_agent.core.errors import JournalFullError, ModelError, PredictorUnavailableError
from edge_agent.core.memory import return_free_memory
from edge_agent.core.verdict import Kind
from edge_agent.journal import JournalView
from edge_agent.publish import agent_heartbeat, agent_started, alert_abandoned

if TYPE_CHECKING:
    from edge_agent.agent.parts import Parts
    from edge_agent.config import Settings
    from edge_agent.core.protocols import Clock, Predictor

log = structlog.get_logger(__name__)

CANARY_EVERY_S = 15.0
"""Time between canaries: inferences with a known answer."""
UNHEARD_S = 2.0
"""A model that has answered nothing for so long is asked for a canary sooner: without frames nothing else would tell that it is away."""
LEAST_PAUSE_S = 0.05
"""Between two looks at how long that is."""
RETRY_EVERY_S = 1.0
"""Time between canaries while the model is not believed."""
OUTBOX_EVERY_S = 5.0
"""Time between looks at the outbox for the metrics."""
ROOM_EVERY_S = 2.0
"""Time between looks at the room that the journal's disk has left."""
LEAST_ROOM = 4 << 20
"""Bytes: what SQLite's log usually takes."""
TIDY_EVERY_S = 30.0
"""Time between returns of free memory: a few milliseconds beside the loop."""
PRUNE_EVERY_S = 3600.0
"""Time between removals of results older than the retention."""
FORGET_EVERY_S = 86400.0
"""Time between looks for known files that are gone."""
RETENTION_SHARE = 0.1
"""Both are done this often within a retention time, if that is more often."""


class Chores:
    """Each method is one task of a running agent."""

    def __init__(self, settings: Settings, parts: Parts, clock: Clock) -> None:
        self._settings = settings
        self._parts = parts
        self._clock = clock
        self._told: dict[str, tuple[frozenset[int], frozenset[int]]] = {}

    async def first_answers(self) -> None:
        """Start every model; one that is away for now is waited for later, one that is wrong ends the agent."""
        for name, predictor in self._parts.predictors.named.items():
            try:
                await predictor.start()
            except PredictorUnavailableError as error:
                self._parts.health.models[name] = str(error)
                log.warning("the model does not answer yet; frames will wait", reason=str(error))
            else:
                self._parts.health.models[name] = ""
                self._tell_degradation(name, predictor)

    async def announce(self) -> None:
        """Tell that the agent began, and close alerts whose judge was replaced while they were open."""
        now_ns = self._clock.now_ns()
        agent = self._settings.agent.name
        view = JournalView(self._settings.agent.place)
        held = {(line.name, kind is Kind.DEGRADED) for line in self._parts.lines for kind in line.judge.open_kinds}
        told = (await asyncio.to_thread(view.status)).open_alerts
        abandoned = [alert for alert in told if (alert["stream"], alert["kind"] == Kind.DEGRADED) not in held]
        events = [agent_started(agent, now_ns, self._parts.guarantee), *(alert_abandoned(alert, now_ns) for alert in abandoned)]
        await self._parts.pipeline.insist(lambda: self._parts.journal.append(events))
        self._parts.wake()

    async def ask_canaries(self, name: str, predictor: Predictor) -> None:
        """Believe a model only while it gives the known answer."""
        doubts = self._parts.health.models
        asked_s = self._clock.monotonic_s()
        while True:
            # to the moment when it will have said nothing for so long: a fixed pause would pass it by and wait for as long again
            quiet_s = min(UNHEARD_S, max(LEAST_PAUSE_S, UNHEARD_S - predictor.unheard_s))
            await asyncio.sleep(RETRY_EVERY_S if doubts[name] else min(quiet_s, CANARY_EVERY_S))
            now_s = self._clock.monotonic_s()
            if not doubts[name] and predictor.unheard_s < UNHEARD_S and now_s - asked_s < CANARY_EVERY_S:
                continue
            asked_s = now_s
            try:
                await (predictor.start() if doubts[name] else predictor.check())
            except (PredictorUnavailableError, ModelError) as error:
                if doubts[name] != str(error):
                    log.warning("the model's canary failed", reason=str(error))
                doubts[name] = str(error)
            else:
                if doubts[name]:
                    log.info("the model answers again", model=name)
                doubts[name] = ""
                self._tell_degradation(name, predictor)

    def _tell_degradation(self, name: str, predictor: Predictor) -> None:
        """Tell, in the log and the metrics, that other members are left out than were last told, whichever canary found them."""
        whole = (frozenset[int](), frozenset[int]())
        before, now = self._told.get(name), predictor.left_out
        if now == before:  # the metrics stay what the last frame said: a member may fail frames and give the known answer
            return
        self._told[name] = now
        stale, missing = map(len, now)
        for line in self._parts.lines:
            if line.predictor is predictor:
                self._parts.metrics.members(line.name, predictor.members - missing - stale, missing, stale)
        if now != whole:
            log.warning("the ensemble is degraded", model=name, reason=predictor.degradation)
        elif before is not None:
            log.info("every member gives its known answer again", model=name)

    async def beat(self) -> None:
        """Give a life sign for each stream now and then."""
        agent = self._settings.agent
        while True:
            await asyncio.sleep(agent.heartbeat)
            standing = self._parts.health.summary()
            beats = [agent_heartbeat(agent.name, line.name, self._clock.now_ns(), *standing) for line in self._parts.lines]
            with contextlib.suppress(JournalFullError):  # frames wait for room already, and /readyz says so
                await self._parts.journal.append(beats)
                self._parts.wake()

    async def count_outbox(self) -> None:
        """Keep the outbox's gauges."""
        while True:
            events, oldest_ns = await self._parts.journal.outbox_backlog()
            self._parts.metrics.outbox(events, None if oldest_ns is None else oldest_ns / 1e9)
            await asyncio.sleep(OUTBOX_EVERY_S)

    async def look_for_room(self) -> None:
        """Tell of a disk that is all but full before a frame has to wait, and try the journal on it."""
        place = self._settings.agent.place
        while True:
            try:
                free = shutil.disk_usage(place).free
            except OSError as error:
                self._parts.health.disk = f"the disk that holds {place} does not answer ({error.strerror or error})"
            else:
                self._parts.health.disk = "" if free >= LEAST_ROOM else f"{free / 1e6:.1f} MB are left on the disk that holds {place}"
                if free < LEAST_ROOM:
                    await self._parts.pipeline.insist(self._parts.journal.try_to_write)
            await asyncio.sleep(ROOM_EVERY_S)

    async def tidy(self) -> None:
        """Give memory back that a burst of frames has left free."""
        while True:
            await asyncio.sleep(TIDY_EVERY_S)
            await asyncio.to_thread(return_free_memory)

    async def prune(self) -> None:
        """Remove results older than the retention."""
        while True:
            with contextlib.suppress(JournalFullError):
                await self._parts.journal.prune(self._clock.now_ns() - int(self._settings.agent.retention * 1e9))
            await asyncio.sleep(self._often(PRUNE_EVERY_S))

    async def forget(self) -> None:
        """Forget files that have been gone for longer than the retention; a folder that is away is no reason."""
        forgetting = Forgetting(self._parts.journal, self._clock, self._settings.agent.retention)
        try:
            while True:
                await asyncio.sleep(self._often(FORGET_EVERY_S))
                for line, watcher in zip(self._parts.lines, self._parts.watchers, strict=True):
                    if watcher.state.watching:
                        with contextlib.suppress(JournalFullError):
                            await forgetting.look(line.name, line.root)
        finally:
            forgetting.close()

    def _often(self, every_s: float) -> float:
        return max(1.0, min(every_s, RETENTION_SHARE * self._settings.agent.retention))
