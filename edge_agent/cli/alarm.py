"""`edge-agent alarm`: look at alarms, and say which were false."""

from __future__ import annotations

from typing import Annotated

import typer

from edge_agent.cli.options import ConfigOption, WhoOption, WhyOption

HELP = """List alarms, and mark those that were false.

Example: edge-agent alarm list

Example: edge-agent alarm wrong 3f0c9a41d2b7e856 --who "A. Curie" --why "only a blanked beam"
"""
app = typer.Typer(help=HELP, no_args_is_help=True)


@app.command("list")
def list_(config: ConfigOption = None, newest: Annotated[int, typer.Option(min=1, help="How many of the newest.")] = 20) -> None:
    """List the newest episodes, with the identifiers that `ack` and `wrong` take.

    Example: edge-agent alarm list --newest 5
    """
    from edge_agent.config import find_configuration, load_settings
    from edge_agent.core.printable import printable
    from edge_agent.journal import JournalView

    view = JournalView(load_settings(find_configuration(config)).agent.place)
    found = view.episodes(newest)
    for told in found:
        marking = told.get("operator_marking")
        marked = f", marked {marking} by {told['operator']}: {told['operator_reason']}" if marking else ""
        state = "over" if told["phase"] == "closed" else "open"
        typer.echo(printable(f"{told['episode']}  {state}  {told['kind']} on {told['stream']} since {told['onset_path']}{marked}"))
    if not found:
        typer.echo("No alarm within the retention time.")


@app.command("wrong")
def wrong(
    episode: Annotated[str, typer.Argument(metavar="EPISODE", help="As `edge-agent alarm list` and the alert's event name it.")],
    who: WhoOption,
    why: WhyOption,
    config: ConfigOption = None,
) -> None:
    """Mark an alarm, open or over, as false: `edge-agent status` counts these beside the rate that was set.

    Example: edge-agent alarm wrong 3f0c9a41d2b7e856 --who "A. Curie" --why "only a blanked beam"
    """
    from edge_agent.agent import ask
    from edge_agent.config import find_configuration, load_settings

    typer.echo(ask(load_settings(find_configuration(config)), "wrong", who, why, episode=episode))
