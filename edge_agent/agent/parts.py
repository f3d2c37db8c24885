"""An agent's parts, built in the order in which they need each other and released in the opposite one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from edge_agent import __version__
from edge_agent.agent.alerting import alert_sinks, tell_of_alerts
from edge_agent.agent.compose import Predictors, find_served_model, make_line, make_reader, make_sink, make_watcher
from edge_agent.agent.health import Health
from edge_agent.agent.presence import leave_card, take_card
from edge_agent.agent.stands import stands_by
from edge_agent.evidence import EvidenceKeeper, Source
from edge_agent.journal import Journal, operation
from edge_agent.observe import HealthServer, Metrics, Watchdog
from edge_agent.pipeline import Orders, Pipeline
from edge_agent.publish import ALERT_TYPES, Publisher

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AsyncExitStack

    from edge_agent.agent.alerting import Told
    from edge_agent.config import Settings
    from edge_agent.core.event import Event
    from edge_agent.core.protocols import Clock
    from edge_agent.pipeline import StreamLine
    from edge_agent.watch import FolderWatcher


@dataclass(frozen=True, slots=True)
class Parts:
    """What a running agent is made of."""

    journal: Journal
    publisher: Publisher
    told: tuple[Told, ...]
    evidence: EvidenceKeeper
    predictors: Predictors
    lines: tuple[StreamLine, ...]
    pipeline: Pipeline
    watchers: tuple[FolderWatcher, ...]
    metrics: Metrics
    watchdog: Watchdog
    health: Health
    server: HealthServer

    @property
    def guarantee(self) -> str:
        """What false-alarm rate the judges promise, or why they cannot."""
        return " ".join(sorted({line.guarantee for line in self.lines}))

    def wake(self) -> None:
        """Say that something beside frames was committed: whoever is told of events has a look."""
        self.publisher.wake()
        for told in self.told:
            told.publisher.wake()
        self.evidence.wake()


async def assemble(
    settings: Settings, *, once: bool, on_event: Callable[[Event], None] | None, clock: Clock, release: AsyncExitStack
) -> Parts:
    """Build every part; `release` lets go of what was taken, also when a later part cannot be had. Raises EdgeAgentError."""
    models = {stream.name: find_served_model(settings, stream) for stream in settings.stream}
    sink = make_sink(settings)
    release.push_async_callback(sink.close)
    triton = any(stream.model.backend == "triton" for stream in settings.stream)
    alerted = [sink.name for sink in alert_sinks(settings)]
    metrics = Metrics([stream.name for stream in settings.stream], sink.name, __version__, triton=triton, alerted=alerted)
    journal = await Journal.open(settings.agent.place, clock=clock)
    release.push_async_callback(journal.close)
    predictors = Predictors(settings, metrics, clock)
    publisher = Publisher(journal, sink, clock, metrics)
    told = await tell_of_alerts(settings, journal, clock, metrics, release)
    sources = {
        stream.name: Source(stream.path, models[stream.name].folder if models[stream.name].manifest.outputs.local_map else None)
        for stream in settings.stream
    }
    evidence = EvidenceKeeper(settings.agent.place, sources, settings.alert.evidence_episodes)
    release.callback(evidence.close)
    lines: list[StreamLine] = []
    for stream in settings.stream:
        model = models[stream.name]
        reader = make_reader(settings, stream)
        release.push_async_callback(reader.close)
        stands = await stands_by(journal, stream.name, model.calibration)
        state = await journal.drift_state(stream.name)
        line = make_line(stream, model, predictors.of(stream, model), reader, state, stands)
        metrics.model(stream.name, model.manifest.name, model.manifest.version, model.manifest.onnx.sha256)
        metrics.open_episodes(stream.name, line.desk.calling(line.judge.open_kinds))
        last = await journal.look(partial(operation.last_verdict, stream=stream.name))
        if last is not None and line.judge.to_json() == state:  # it goes on from there: until the next frame nothing else is known
            metrics.drift(stream.name, *last)
        metrics.held(stream.name, held=line.desk.is_held(clock.now_ns()))
        lines.append(replace(line, pictures=evidence.promised(stream.name)))
    for predictor in predictors.named.values():
        release.push_async_callback(predictor.stop)

    def on_committed(event: Event) -> None:
        if event.type in ALERT_TYPES:  # its event goes first; pictures and messengers have cursors of their own
            for one in told:
                one.publisher.wake()
            evidence.wake()
        if on_event is not None:
            on_event(event)

    readers, orders = settings.agent.decoders, Orders(settings.agent.place)
    pipeline = Pipeline(settings.agent.name, lines, journal, clock, metrics, publisher.wake, on_committed, readers, orders)
    watchers = tuple(
        make_watcher(stream, once=once, known=journal, admissions=pipeline, clock=clock, telemetry=metrics) for stream in settings.stream
    )
    watchdog = Watchdog(clock)
    health = Health(pipeline, publisher, watchers, predictors.named, lines, told)
    server = HealthServer(settings.http, metrics, health.parts, watchdog)
    await server.start()
    release.push_async_callback(server.close)
    leave_card(settings.agent.place, server.url, clock.now_ns())
    release.callback(take_card, settings.agent.place)
    for watcher in watchers:
        await watcher.prepare()
    return Parts(journal, publisher, told, evidence, predictors, tuple(lines), pipeline, watchers, metrics, watchdog, health, server)
