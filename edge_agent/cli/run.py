"""`edge-agent run`: watch the folders and judge every frame."""

from __future__ import annotations

import typer

from edge_agent.cli.options import ConfigOption


def command(
    config: ConfigOption = None,
    once: bool = typer.Option(False, "--once", help="Work off what is there, tell it, and end."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be read and where events would go; write nothing."),
    stop_with_stdin: bool = typer.Option(
        False, "--stop-with-stdin", help="End when standard input closes: for a service that watches over it."
    ),
) -> None:
    """Watch the folders, judge every new frame, publish frames, alerts and metrics.

    Example: edge-agent run --config edge-agent.toml
    """
    from edge_agent.agent import Agent, plan, run_agent
    from edge_agent.config import find_configuration, load_settings, with_secrets
    from edge_agent.observe import configure_logging, hide_in_tracebacks

    settings = with_secrets(load_settings(find_configuration(config)))
    hide_in_tracebacks(settings.secrets)
    if dry_run:
        for line in plan(settings, once=once):
            typer.echo(line)
        return
    configure_logging(settings.log.level, settings.log.format, secrets=settings.secrets)
    run_agent(Agent(settings, once=once), stop_with_stdin=stop_with_stdin)
