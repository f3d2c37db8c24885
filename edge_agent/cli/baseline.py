"""`edge-agent baseline`: what the streams are judged by, and an operator's word on it."""

from __future__ import annotations

from typing import Annotated

import typer

from edge_agent.cli.options import ConfigOption, StreamOption, WhoOption, WhyOption

HELP = """Show what streams are judged by, acknowledge a change, or make it the usual.

Example: edge-agent baseline show

Example: edge-agent baseline ack --who "A. Curie" --why "the new filament"
"""
app = typer.Typer(help=HELP, no_args_is_help=True)


@app.command("show")
def show(
    stream: StreamOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: ConfigOption = None,
) -> None:
    """Show each stream's calibration, the baseline in force, earlier ones, and who ordered what.

    Example: edge-agent baseline show --stream sem
    """
    import dataclasses
    import json

    from edge_agent.agent import lines_about, stream_baselines
    from edge_agent.agent.past import find_stream
    from edge_agent.config import find_configuration, load_settings
    from edge_agent.core.printable import printable

    settings = load_settings(find_configuration(config))
    found = list(stream_baselines(settings, find_stream(settings, stream).name if stream else None))
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(one) for one in found], indent=2, default=str))
        return
    for one in found:
        for line in lines_about(one):
            typer.echo(printable(line))


@app.command("ack")
def ack(
    who: WhoOption,
    why: WhyOption,
    episode: Annotated[str | None, typer.Argument(metavar="EPISODE", help="Which one; else all that are open on the stream.")] = None,
    stream: StreamOption = None,
    config: ConfigOption = None,
) -> None:
    """Acknowledge an open episode: it was seen and understood, and calls nobody until it ends or turns into another kind.

    The baseline stays what it is, and so does the episode: it is closed when the frames are usual again.

    Example: edge-agent baseline ack 3f0c9a41d2b7e856 --who "A. Curie" --why "the new filament; the reference looks right"
    """
    from edge_agent.agent import ask
    from edge_agent.agent.past import find_stream
    from edge_agent.config import find_configuration, load_settings

    settings = load_settings(find_configuration(config))
    named = None if episode and stream is None else find_stream(settings, stream).name
    typer.echo(ask(settings, "ack", who, why, stream=named, episode=episode))


@app.command("rebase")
def rebase(
    who: WhoOption,
    why: WhyOption,
    stream: StreamOption = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="WHEN|SAMPLE",
            help="The first sample, or the time (UTC), of what is usual now; else the open episode's onset.",
        ),
    ] = None,
    restore: Annotated[str | None, typer.Option(metavar="ID", help="Put an earlier baseline in force again instead.")] = None,
    config: ConfigOption = None,
) -> None:
    """Make what the last samples showed the usual: where each component lies and how much it varies, from 20 samples or more.

    Predictions get no better by it: referral and p-values stay with the model's own calibration.

    Example: edge-agent baseline rebase --stream sem --from S0120 --who "A. Curie" --why "new filament, checked on the standard"

    And back: edge-agent baseline rebase --stream sem --restore 0a1b2c3d4e5f6071 --who "A. Curie" --why "old filament again"
    """
    from edge_agent.agent import ask
    from edge_agent.agent.past import find_stream
    from edge_agent.config import find_configuration, load_settings

    if restore is not None and since is not None:
        raise typer.BadParameter("a restored baseline is not estimated from anything; drop --from", param_hint="--from")
    settings = load_settings(find_configuration(config))
    verb = "rebase" if restore is None else "restore"
    named = find_stream(settings, stream).name
    typer.echo(ask(settings, verb, who, why, stream=named, since=since, baseline=restore))
