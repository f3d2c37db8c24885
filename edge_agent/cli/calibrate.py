"""`edge-agent calibrate`: calibrate your own instrument."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_agent.cli.options import ConfigOption, SinceOption, StreamOption, UntilOption, utc

if TYPE_CHECKING:
    from edge_agent.calibrating import Material
    from edge_agent.config import Settings, StreamSettings
    from edge_agent.drift import AlteredFrames
    from edge_agent.pipeline import Period


def command(
    stream: StreamOption = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="DIR", help="Normal frames: one folder a sample, lots by the stream's rule, else DIR/<lot>/<sample>/."
        ),
    ] = None,
    journal: Annotated[bool, typer.Option("--journal", help="Take frames of declared lots that the agent has scored already.")] = False,
    since: SinceOption = None,
    until: UntilOption = None,
    exclude: Annotated[list[str], typer.Option(metavar="SAMPLE", help="Leave a sample out; repeatable.")] = [],  # noqa: B006 - typer reads it
    changes: Annotated[
        bool, typer.Option("--changes/--no-changes", help="Whether to learn what known changes of the acquisition do.")
    ] = True,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; a sample that looks wrong is named and kept.")] = False,
    config: ConfigOption = None,
) -> None:
    """Calibrate a stream's model on frames of your own instrument, so that alarms mean what was asked for.

    The frames must be normal, of known lots, and none that the network was trained on: it is surer of those than of any other. 6 samples
    a lot are needed for a guarantee, 16 are recommended; a sample is one visit of the stage, not one frame. The calibration is written
    into the state directory; nothing changes until you name it in the configuration.

    Example: edge-agent calibrate --stream sem --from D:/calibration

    Example: edge-agent calibrate --journal --since 2026-10-01 --until 2026-10-31 --exclude A17
    """
    from datetime import UTC, datetime

    from edge_agent.agent.past import find_stream
    from edge_agent.calibrating import fit, write
    from edge_agent.config import find_configuration, load_settings
    from edge_agent.observe import configure_logging
    from edge_agent.pipeline import Period

    if (folder is None) == (not journal):
        raise typer.BadParameter("give --from DIR or --journal, one of the two", param_hint="--from")
    settings = load_settings(find_configuration(config))
    one = find_stream(settings, stream)
    one = one.model_copy(update={"model": one.model.model_copy(update={"calibration": None})})  # what is to be replaced may not belong
    configure_logging("error", "console")
    asks = not yes and _on_a_terminal()
    day = datetime.now(UTC).date()

    material = _gather(settings, one, folder, Period(utc(since), utc(until)), asks=asks)
    material = _survey(settings, one, material.without(exclude), asks=asks)
    altered = _changes(settings, one, material, asks=asks) if changes else []
    fitted = fit(settings, one, material, altered, day)
    typer.echo(fitted.guarantee)
    _go_on(asks, f"Write this calibration to {settings.agent.place}?")
    path = write(fitted.calibration, settings.agent.place, one.name, day)
    if fitted.tells_samples_apart:
        typer.echo(f"{path} is written. To use it, put this line into [[stream]] {one.name} of the configuration and restart the agent:")
        typer.echo(f'model.calibration = "{path.as_posix()}"')
    else:
        typer.echo(f"{path} is written for a look, not for use: one sample a lot shows nothing of how samples differ. Image more of each.")
    typer.echo(f"What it would have alarmed: edge-agent replay --journal --stream {one.name} --calibration {path}")


def _on_a_terminal() -> bool:
    return sys.stdin.isatty()


def _go_on(asks: bool, question: str) -> None:
    if asks:
        typer.confirm(question, default=True, abort=True)


def _gather(settings: Settings, stream: StreamSettings, folder: Path | None, period: Period, *, asks: bool) -> Material:
    from edge_agent.agent.past import files_in
    from edge_agent.calibrating import from_folder, from_journal
    from edge_agent.cli.progress import progress

    if folder is None:
        with progress(f"frames of {stream.name} in the journal", None) as advance:
            return from_journal(settings, stream, period, advance)
    folder = folder.absolute()
    files = files_in(stream, folder)
    _go_on(asks, f"Read and score the {len(files)} files in {folder} with {stream.model.name}?")
    with progress("files", len(files)) as advance:
        return from_folder(settings, stream, folder, advance)


def _survey(settings: Settings, stream: StreamSettings, material: Material, *, asks: bool) -> Material:
    """Say what there is and what looks wrong; on a terminal, ask what to do with the latter."""
    from edge_agent.agent.past import model_lots
    from edge_agent.calibrating import settings_of, strangers, suspicions, table

    lots = model_lots(settings, stream)
    typer.echo(f"{'lot':20} {'samples':>7} {'frames':>6}")
    for lot, samples, frames, lack in table(material):
        typer.echo(f"{lot:20} {samples:7d} {frames:6d}  {lack}".rstrip())
    for line in settings_of(material):
        typer.echo(line)
    for reason, number in material.left_out.items():
        typer.echo(f"left out: {number} {reason}")
    for line in strangers(material, lots):
        typer.echo(line)
    wrong = list(suspicions(material, lots))
    dropped = []
    for suspicion in wrong:
        typer.echo(f"looks wrong: {suspicion}")
        if asks and typer.confirm(f"Leave sample {suspicion.sample[1]} out?", default=True):
            dropped.append(suspicion.sample[1])
        elif not asks:
            typer.echo(f"  it is kept; --exclude {suspicion.sample[1]} leaves it out")
    kept = material.without(dropped)
    kept.check("keep some samples")
    return kept


def _changes(settings: Settings, stream: StreamSettings, material: Material, *, asks: bool) -> list[AlteredFrames]:
    """Show known changes to some frames; without, alarms do not say which change they resemble."""
    from edge_agent.calibrating import chosen, show_changes
    from edge_agent.cli.progress import progress
    from edge_agent.core.errors import EdgeAgentError

    total = sum(map(len, chosen(material).values()))
    if asks and not typer.confirm(f"Show {total} frames to the model under every known change of filament, light and focus?", default=True):
        return []
    try:
        with progress("frames under known changes", total) as advance:
            return show_changes(settings, stream, material, advance)
    except EdgeAgentError as error:
        typer.echo(f"{error}; alarms will not name the change they resemble")
        return []
