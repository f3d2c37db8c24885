"""Who is told of alerts beside the event log, as [alert] says: each with a cursor, a back-off and a standing of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.config import read_secret
from edge_agent.core.event import OutboxRow
from edge_agent.journal import AlertOutbox
from edge_agent.publish import CommandSink, GivingUp, OnlyPublishing, Publisher, WebhookSink, alert_test

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from edge_agent.config import Settings
    from edge_agent.core.protocols import Clock
    from edge_agent.core.telemetry import Telemetry
    from edge_agent.journal import Journal

FOLDER = "alerts"
"""In the state directory: the cursors."""
LONGEST_WAIT_S = 60.0
"""Pauses between tries double up to this one."""
KINDS = (CommandSink.name, WebhookSink.name)
"""Every name that one of them may have."""


@dataclass(frozen=True, slots=True)
class Told:
    """One who is told of alerts: its name in metrics and in /readyz, and what carries them there."""

    name: str
    publisher: Publisher


def alert_sinks(settings: Settings) -> list[CommandSink | WebhookSink]:
    """Those that [alert] names; raises ConfigurationError for an address that is none, which it does not show."""
    alert = settings.alert
    sinks: list[CommandSink | WebhookSink] = []
    if alert.command is not None:
        sinks.append(CommandSink(alert.command, alert.timeout))
    if alert.webhook is not None:
        sinks.append(WebhookSink(alert.webhook.get_secret_value(), alert.timeout))
    elif alert.webhook_file is not None:
        sinks.append(WebhookSink(read_secret("[alert] webhook_file", alert.webhook_file), alert.timeout))
    return sinks


async def tell_of_alerts(
    settings: Settings, journal: Journal, clock: Clock, telemetry: Telemetry, release: AsyncExitStack
) -> tuple[Told, ...]:
    """Publishers, not yet running, of the journal's alerts from now on or, for those who were told before, from where they stand."""
    place = settings.agent.place / FOLDER
    sinks = alert_sinks(settings)
    for name in set(KINDS) - {sink.name for sink in sinks}:
        AlertOutbox.forget(place, name)
    told = []
    for sink in sinks:
        release.push_async_callback(sink.close)
        outbox = await AlertOutbox.open(journal, place, sink.name)
        release.callback(outbox.close)
        patient = GivingUp(sink, settings.alert.give_up, clock, telemetry)
        publisher = Publisher(outbox, patient, clock, OnlyPublishing(telemetry), rows=1, longest_wait_s=LONGEST_WAIT_S, silent_s=math.inf)
        told.append(Told(sink.name, publisher))
    return tuple(told)


async def send_test(settings: Settings, clock: Clock) -> str:
    """Tell each of them a test event, and say who took it; raises SinkUnavailableError for the first that did not."""
    event = alert_test(settings.agent.name, settings.stream[0].name, clock.now_ns())
    sinks = alert_sinks(settings)
    try:
        for sink in sinks:
            await sink.recover("", 0)
            await sink.publish([OutboxRow(0, event)])
    finally:
        for sink in sinks:
            await sink.close()
    return f"{' and '.join(sink.name for sink in sinks)} took a test event" if sinks else "told in the event log only"
