"""`edge-agent status`: how an agent on this machine stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from edge_agent.cli.options import ConfigOption
from edge_agent.core.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.table import Table

    from edge_agent.agent import Overview
    from edge_agent.journal import StreamStatus


def command(
    config: ConfigOption = None,
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
    frames: int = typer.Option(5, min=0, help="How many of the newest frames to show."),
    quarantined: int = typer.Option(3, min=0, help="How many of the newest files that could not be used to show."),
    order: str = typer.Option("", "--withdraw", metavar="ID", help="Take back an order that waits for an agent, and show nothing."),
) -> None:
    """Show whether an agent runs and is ready, what became of the files, open alerts, and what waits.

    Example: edge-agent status --json

    Example: edge-agent status --withdraw 3f0c9a41
    """
    import json

    from edge_agent.agent import overview, withdraw
    from edge_agent.config import find_configuration, load_settings

    settings = load_settings(find_configuration(config))
    if order:
        typer.echo(withdraw(settings, order))
        return
    found = overview(settings, frames, quarantined)
    if as_json:
        typer.echo(json.dumps(found.as_object(), indent=2, default=str))
    else:
        _show(found, settings.agent.place)


def escape(text: str) -> str:
    """What others wrote, for rich: none of it is markup, nor obeyed by the terminal."""
    from rich import markup

    return markup.escape(printable(text))


def _when(ns: int | None) -> str:
    """A time in UTC, for people."""
    from datetime import UTC, datetime

    return "-" if ns is None else f"{datetime.fromtimestamp(ns / 1e9, UTC):%Y-%m-%d %H:%M:%S}"


def _show(found: Overview, place: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    console, status = Console(), found.journal
    if not console.is_terminal:
        console = Console(width=200)  # nobody folds lines that another program reads
    for line in _agent(found):
        console.print(line, soft_wrap=True)
    streams = Table("stream", "known files", "pending", "outcomes", "frames", "newest frame (UTC)", title="Streams")
    for stream in status.streams:
        outcomes = ", ".join(f"{number} {outcome}" for outcome, number in sorted(stream.outcomes.items())) or "-"
        newest = _when(stream.last_frame_time_ns)
        streams.add_row(stream.stream, str(stream.known_files), str(stream.pending), outcomes, str(stream.frames), newest)
    console.print(streams)
    for line in (line for stream in status.streams for line in (*_orders(stream), *_not_judged(stream))):
        console.print(line)
    if found.last_frames:
        console.print(_frames(found))
    for line in (line for alert in status.open_alerts for line in _alert(alert, place)):
        console.print(line, soft_wrap=True)
    if not status.open_alerts:
        console.print("No open alerts.")
    for line in (*_waiting(found), *map(escape, map(str, found.false_alarms))):
        console.print(line, soft_wrap=True)


def _frames(found: Overview) -> Table:
    from rich.table import Table

    columns = ("path", "frame", "sample", "lot", "confidence", "entropy (nats)", "distance", "members", "referred")
    table = Table(*columns, title="Newest frames")
    for frame in found.last_frames:
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
    return table


def _agent(found: Overview) -> Iterator[str]:
    """Whether an agent runs, and how its parts stand by its own word."""
    agent, ready = found.agent, found.ready
    if agent is None or ready is None:
        yield "[bold yellow]No agent runs here.[/] What follows is the journal's word."
        return
    since = "" if agent.card is None else f", version {agent.card.version}, since {_when(agent.card.since_ns)} UTC"
    memory = "" if agent.memory_bytes is None else f", {agent.memory_bytes / 1e6:.0f} MB of memory"
    yield escape(f"An agent runs here: process {agent.pid}{since}{memory}.")
    if not ready.status:
        yield f"[bold yellow]It could not be asked how it stands[/] {escape(f'({ready.why}); what follows is the journal alone.')}"
        return
    words = {"ok": "[bold green]ready[/]", "degraded": "[bold yellow]ready, degraded[/]", "unready": "[bold red]not ready[/]"}
    yield f"It is {words.get(ready.status, escape(ready.status))}."
    for name, part in ready.parts.items():
        if part["state"] != "ok" or part["reason"]:
            yield escape(f"  {name}: {part['state']}{': ' + part['reason'] if part['reason'] else ''}")


def _waiting(found: Overview) -> Iterator[str]:
    """Files that could not be used, orders and events that wait, and what the journal takes."""
    for one in found.quarantined:
        yield f"[bold]quarantined[/] {escape(f'{_when(one.at_ns)} UTC, {one.stream}, {one.cause}: {one.said}')}"
    in_all = sum(stream.outcomes.get("quarantined", 0) for stream in found.journal.streams)
    if left := max(0, in_all - len(found.quarantined)):
        more = " more" if found.quarantined else ""
        yield f"{left}{more} {'file' if left == 1 else 'files'} could not be used: edge-agent status --quarantined {in_all} lists all."
    for order in found.orders:
        about = " ".join(filter(None, (order.verb, order.stream, order.episode, order.baseline)))
        waits = f"{about}, by {order.who} at {_when(order.asked_at_ns)} UTC: {order.why}"
        yield f"[bold]order that waits[/] {escape(waits)} (edge-agent status --withdraw {order.id[:8]})"
    unsent = found.journal.unsent_events
    oldest = f", the oldest since {_when(found.journal.oldest_unsent_ns)} UTC" if unsent else ""
    yield f"Events that wait for their sink: {unsent}{oldest}. The journal takes {found.journal_bytes / 1e6:.1f} MB."


def _orders(stream: StreamStatus) -> Iterator[str]:
    """What operators ordered of the stream."""
    name, standing = stream.stream, stream.standing
    if (hold := standing.hold) is not None:
        until = "until released" if hold.until_ns is None else f"until {_when(hold.until_ns)} UTC"
        yield f"[bold yellow]held[/] {escape(f'{name}: every frame is referred, by word of {hold.who}, {until}: {hold.why}')}"
    if standing.baseline is not None:
        yield escape(f"{name}: judged by the re-based baseline {standing.baseline}{', provisionally' if standing.provisional else ''}")


def _not_judged(stream: StreamStatus) -> Iterator[str]:
    """Of the newest frames, those of which nothing is known but their score, and why."""
    from edge_agent.journal.view import RECENT

    latest = min(RECENT, stream.frames)
    for reason, frames in stream.not_judged.items():
        yield f"[bold yellow]not judged[/] {escape(f'{stream.stream}: {frames} of the newest {latest} frames: {reason}')}"


def _alert(alert: dict[str, Any], place: Path) -> Iterator[str]:
    """An open alert."""
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
