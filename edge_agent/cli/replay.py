"""`edge-agent replay`: what another calibration or threshold would have alarmed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_agent.cli.options import ConfigOption, SinceOption, StreamOption, UntilOption, utc

if TYPE_CHECKING:
    from edge_agent.replay import Replayed


def command(
    directory: Annotated[Path | None, typer.Argument(metavar="DIR", help="Read, score and judge the frames in this folder.")] = None,
    journal: Annotated[bool, typer.Option("--journal", help="Judge the frames in the agent's journal anew; it may be running.")] = False,
    stream: StreamOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    false_alarms_per_month: Annotated[float | None, typer.Option(help="Instead of the configured one.")] = None,
    frames_per_hour: Annotated[float | None, typer.Option(help="Instead of the configured one.")] = None,
    calibration: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Instead of the stream's or the model's, as `edge-agent calibrate` writes it.")
    ] = None,
    speed: Annotated[
        float | None, typer.Option(help="Let frames pass so many times faster than they were recorded; as fast as it goes by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw evidence, its limit and alarms; needs matplotlib.")] = None,
    config: ConfigOption = None,
) -> None:
    """Run a past period through another calibration or threshold, and show what would have been alarmed beside what was.

    From the journal no pixels are read and no network runs. Nothing is written to the journal, and nobody is told.

    Example: edge-agent replay --journal --since 2026-10-01 --false-alarms-per-month 4

    Example: edge-agent replay D:/archive/2026-09 --stream sem --calibration new.json --json
    """
    import json
    import math

    from edge_agent.agent.past import find_stream, with_other_limits
    from edge_agent.cli.progress import progress
    from edge_agent.config import find_configuration, load_settings
    from edge_agent.observe import configure_logging
    from edge_agent.replay import Listener, as_object, replay_folder, replay_journal

    if (directory is None) == (not journal):
        raise typer.BadParameter("give a folder or --journal, one of the two", param_hint="DIR")
    if speed is not None and not (math.isfinite(speed) and speed > 0):
        raise typer.BadParameter(f"{speed} is not greater than 0", param_hint="--speed")
    period = _period(since, until)
    settings = load_settings(find_configuration(config))
    chosen = with_other_limits(
        find_stream(settings, stream),
        calibration=calibration,
        false_alarms_per_month=false_alarms_per_month,
        frames_per_hour=frames_per_hour,
    )
    configure_logging("error", "console")
    with progress(f"frames of {chosen.name}", None) as advance:
        listener = Listener(speed=speed, plot=plot, say=lambda line: typer.echo(line, err=as_json), advance=advance)
        if directory is None:
            replayed = replay_journal(settings, chosen, period, listener.hear)
        else:
            replayed = replay_folder(settings, chosen, directory.absolute(), period, listener.hear)
    listener.draw(replayed)
    if as_json:
        typer.echo(json.dumps(as_object(replayed), indent=2))
    else:
        _show(replayed, compared=journal)


def _period(since: datetime | None, until: datetime | None):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a late import's type
    from edge_agent.pipeline import Period

    period = Period(utc(since), utc(until))
    if period.since and period.until and period.since > period.until:
        raise typer.BadParameter("it lies after --until", param_hint="--since")
    return period


def _show(replayed: Replayed, *, compared: bool) -> None:
    from collections import Counter

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from edge_agent.replay.report import COLUMNS, preamble, rows

    console = Console()
    if not console.is_terminal:
        console = Console(width=240)  # nobody folds lines that another program reads
    for line in preamble(replayed):
        console.print(escape(line))
    if not replayed.lines:
        console.print("No alarms, then or now." if compared else "No alarms.")
        return
    table = Table(*COLUMNS, title="Alarms, beside those that were raised" if compared else "Alarms")
    for row in rows(replayed):
        table.add_row(*map(escape, row if compared else ("", *row[1:])))
    console.print(table)
    if compared:
        counts = Counter(line.standing.value for line in replayed.lines)
        console.print(", ".join(f"{number} {standing}" for standing, number in counts.items()))
