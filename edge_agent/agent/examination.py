"""Every part tried once, each on its own, so that one report names all that is wrong."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.agent.alerting import send_test
from edge_agent.agent.broker import broker_settings
from edge_agent.agent.compose import Predictors, check_places, find_served_model, make_judge
from edge_agent.config import read_secret
from edge_agent.core.clock import SystemClock
from edge_agent.core.errors import ConfigurationError, EdgeAgentError, ModelError
from edge_agent.core.own_thread import OwnThread
from edge_agent.core.telemetry import NoTelemetry
from edge_agent.journal import Journal
from edge_agent.observe import bind
from edge_agent.publish import existing_topics
from edge_agent.watch import list_files

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from edge_agent.config import Settings, StreamSettings

PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What trying one part showed."""

    part: str
    good: bool
    said: str


async def examine(settings: Settings) -> list[Finding]:
    """Try every part; of a running agent the state directory and the address are found taken, which is said."""
    trial = _Trial(settings)
    findings = []
    for stream in settings.stream:
        findings.append(await _try(f"stream {stream.name}: folder", trial.folder(stream)))
        findings.append(await _try(f"stream {stream.name}: model", trial.model(stream)))
    findings.append(await _try("journal", trial.journal()))
    findings.append(await _try("events", trial.events()))
    if settings.alert.command is not None or settings.alert.webhook is not None or settings.alert.webhook_file is not None:
        findings.append(await _try("alerts", send_test(settings, SystemClock())))
    findings.append(await _try("http", trial.address()))
    return findings


class _Trial:
    """Each method tries one part and returns what a person is told."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clock = SystemClock()
        self._predictors = Predictors(settings, NoTelemetry(), self._clock)

    async def folder(self, stream: StreamSettings) -> str:
        check_places(self._settings)
        if not stream.path.is_dir():
            raise ConfigurationError(str(stream.path), "there is no such folder", "create it, connect its drive, or correct the path")
        count = await asyncio.to_thread(lambda: sum(1 for _ in list_files(stream.path, stream.include, stream.exclude)))
        return f"{stream.path} holds {count} files that match"

    async def model(self, stream: StreamSettings) -> str:
        served = find_served_model(self._settings, stream)
        predictor = self._predictors.of(stream, served)
        try:
            await predictor.start()
            lacks = predictor.degradation
        finally:
            await predictor.stop()
        if lacks:
            raise ModelError(f"model {served.manifest.name}", "its ensemble is degraded", lacks)
        named = f"{served.manifest.name} version {served.manifest.version} ({stream.model.backend})"
        return f"{named} gives the known answer; {make_judge(stream, served, None).guarantee}"

    async def journal(self) -> str:
        opened = await Journal.open(self._settings.agent.place, clock=self._clock)
        await opened.close()
        return f"{self._settings.agent.place} can be written"

    async def events(self) -> str:
        broker = broker_settings(self._settings)
        if broker is None:
            return f"JSON Lines in {self._settings.agent.place / 'events'}"
        thread = OwnThread("doctor-kafka")
        try:
            existing = await thread.call(lambda: existing_topics(broker))
        finally:
            thread.end()
        topics = broker.topics
        names = (topics.frames, topics.alerts, topics.agents, topics.baselines, topics.cursors)
        missing = [name for name in names if name not in existing]
        told = f", which has yet to create {', '.join(missing)}" if missing else ""
        return f"Kafka answers at {broker.address} ({broker.security_protocol}){told}"

    async def address(self) -> str:
        http = self._settings.http
        if http.token_file is not None:
            read_secret("[http] token_file", http.token_file)
        with bind(http):
            return f"{http.listen} is free for metrics and health"


async def _try(part: str, attempt: Coroutine[None, None, str]) -> Finding:
    try:
        return Finding(part, good=True, said=await asyncio.wait_for(attempt, PATIENCE_S))
    except EdgeAgentError as error:
        return Finding(part, good=False, said=str(error))
    except TimeoutError:
        return Finding(part, good=False, said=f"no answer within {PATIENCE_S:.0f} s; check the address and whether the server runs")
    except OSError as error:
        return Finding(part, good=False, said=f"{error.strerror or error}; check the address and whether another program holds it")
