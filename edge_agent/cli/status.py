"""`edge-agent status`: how an agent on this machine stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from edge_agent.cli.options import ConfigOption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge_agent.journal import StreamStatus


def command(
    config: ConfigOption = None,
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
    frames: int = typer.Option(5, min=0, help="How many of the newest frames to show."),
) -> None:
    """Show what became of the files, open alerts, and events that still wait, from the journal.

    Example: edge-agent status --json
    """
    import dataclasses
    import json

    from edge_agent.agent import false_alarms
    from edge_agent.config import find_configuration, load_settings
    from edge_agent.journal import JournalView

    settings = load_settings(find_configuration(config))
    view = JournalView(settings.agent.place)
    status = view.status()
    newest = view.last_frames(frames)
    rates = false_alarms(settings, view)
    if as_json:
        told = [dataclasses.asdict(rate) for rate in rates]
        typer.echo(json.dumps({**dataclasses.asdict(status), "last_frames": newest, "false_alarms": told}, indent=2, default=str))
        return
    _show(status, newest, settings.agent.place)
    for rate in rates:
        typer.echo(str(rate))


def _show(status, newest, place) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - typed in a verb's body, whose imports are late
    from datetime import UTC, datetime

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=200)  # nobody folds lines that another program reads

    def when(ns: int | None) -> str:
        return "-" if ns is None else datetime.fromtimestamp(ns / 1e9, UTC).isoformat(" ", "seconds")

    streams = Table("stream", "known files", "pending", "outcomes", "frames", "newest frame (UTC)", title="Streams")
    for stream in status.streams:
        outcomes = ", ".join(f"{number} {outcome}" for outcome, number in sorted(stream.outcomes.items())) or "-"
        streams.add_row(
            stream.stream, str(stream.known_files), str(stream.pending), outcomes, str(stream.frames), when(stream.last_frame_time_ns)
        )
    console.print(streams)
    for line in (line for stream in status.streams for line in (*_orders(stream, when), *_not_judged(stream))):
        console.print(line)
    if newest:
        columns = ("path", "frame", "sample", "lot", "confidence", "entropy (nats)", "distance", "members", "referred")
        table = Table(*columns, title="Newest frames")
        for frame in newest:
            table.add_row(
                escape(frame["path"]),
                str(frame["frame_index"]),
                escape(frame["sample"] or "-"),
                escape(frame["lot"]),
                f"{frame['confidence']:.3f}",
                f"{frame['entropy']:.3f}",
                f"{frame['distance']:.2f}",
                f"{frame['members_answering']} of {frame['members_expected']}",
                "yes" if frame["referred"] else "",
            )
        console.print(table)
    for line in (line for alert in status.open_alerts for line in _alert(alert, place)):
        console.print(line, soft_wrap=True)
    if not status.open_alerts:
        console.print("No open alerts.")
    console.print(f"Events that wait for their sink: {status.unsent_events}, the oldest since {when(status.oldest_unsent_ns)}.")


def _orders(stream: StreamStatus, when: Callable[[int], str]) -> Iterator[str]:
    """What operators ordered of the stream."""
    from rich.markup import escape

    name, standing = stream.stream, stream.standing
    if (hold := standing.hold) is not None:
        until = "until released" if hold.until_ns is None else f"until {when(hold.until_ns)} UTC"
        yield f"[bold yellow]held[/] {escape(f'{name}: every frame is referred, by word of {hold.who}, {until}: {hold.why}')}"
    if standing.baseline is not None:
        yield escape(f"{name}: judged by the re-based baseline {standing.baseline}{', provisionally' if standing.provisional else ''}")


def _not_judged(stream: StreamStatus) -> Iterator[str]:
    """Of the newest frames, those of which nothing is known but their score, and why."""
    from rich.markup import escape

    from edge_agent.journal.view import RECENT

    latest = min(RECENT, stream.frames)
    for reason, frames in stream.not_judged.items():
        yield f"[bold yellow]not judged[/] {escape(f'{stream.stream}: {frames} of the newest {latest} frames: {reason}')}"


def _alert(alert: dict[str, Any], place: Path) -> Iterator[str]:
    """An open alert."""
    from rich.markup import escape

    sample = f" of sample {alert['onset_sample']}" if alert["onset_sample"] else ""
    sure = "" if alert["confidence"] is None else f" ({alert['confidence']:.0%} sure)"
    since = f"{alert['onset_path']}{sample}, {alert['onset_time'][:16].replace('T', ' ')} UTC"
    about = escape(f"{alert['kind']}{sure} on {alert['stream']} since {since}: {alert['reason']}")
    yield f"[bold red]open alert[/] {about}"
    if alert.get("operator_marking"):
        yield escape(f"  {alert['operator_marking']} by {alert['operator']}: {alert['operator_reason']}")
    yield f"  what to do: {escape(alert['action'])}"
    yield escape(f"  its name, for `edge-agent baseline ack` and `alarm wrong`: {alert['episode']}")
    for picture in (alert.get("strip"), alert.get("local_map")):
        if picture is not None and (place / picture).is_file():
            yield f"  picture: {escape(str(place / picture))}"
