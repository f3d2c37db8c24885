"""What would happen: `config validate` and `run --dry-run`, which write nothing and start nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.agent.alerting import alert_sinks
from edge_agent.agent.broker import broker_settings
from edge_agent.agent.compose import check_places, find_served_model, make_judge
from edge_agent.core.errors import ConfigurationError
from edge_agent.journal import JournalView
from edge_agent.publish import find_program
from edge_agent.watch import list_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.config import Settings

FIRST_NAMES = 5


def check(settings: Settings) -> Iterator[str]:
    """A line for each stream that can run; raises ConfigurationError or ModelError at the first that cannot."""
    check_places(settings)
    for stream in settings.stream:
        if not stream.path.is_dir():
            raise ConfigurationError(
                f"[stream {stream.name}] path = {stream.path}", "there is no such folder", "create it or correct the path"
            )
        model = find_served_model(settings, stream)
        manifest = model.manifest
        members = f"{manifest.members} members, lots {', '.join(manifest.lots)}"
        yield f"stream {stream.name}: {stream.path} -> {manifest.name} version {manifest.version} ({stream.model.backend}), {members}"
        yield f"stream {stream.name}: {make_judge(stream, model, None).guarantee}"
    if broker := broker_settings(settings):
        yield f"events: Kafka at {broker.address}"
    else:
        yield f"events: JSON Lines in {settings.agent.place / 'events'}"
    sinks = alert_sinks(settings)
    if settings.alert.command is not None:
        find_program(settings.alert.command[0])
    if sinks:
        yield f"alerts: told by {' and '.join(sink.name for sink in sinks)} too"
    yield f"metrics: {settings.http.listen}"


def plan(settings: Settings, *, once: bool = False) -> Iterator[str]:
    """What `run`, or `run --once`, would read now, stream by stream."""
    yield from check(settings)
    view = JournalView.open(settings.agent.place)
    for stream in settings.stream:
        files = list(list_files(stream.path, stream.include, stream.exclude))
        begun = view is not None and view.begun(stream.name)
        if not begun and stream.start == "now" and not once:
            yield f"stream {stream.name}: {len(files)} files are there and would be left alone (start = now); new ones would be read"
            continue
        new = [file for file in files if view is None or not view.knows(stream.name, file)]
        names = ", ".join(file.path for file in new[:FIRST_NAMES]) + (", ..." if len(new) > FIRST_NAMES else "")
        yield f"stream {stream.name}: {len(files)} files match, {len(new)} would be read{': ' + names if new else ''}"
