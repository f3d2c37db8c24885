"""`edge-agent doctor`: try every part once, and say what stands in the way."""

from __future__ import annotations

import typer

from edge_agent.cli.options import ConfigOption


def command(config: ConfigOption = None) -> None:
    """Try configuration, folders, models, canary, state directory, broker and address, and say what to mend.

    Example: edge-agent doctor --config edge-agent.toml
    """
    import asyncio

    from edge_agent.agent import examine
    from edge_agent.config import find_configuration, load_settings

    path = find_configuration(config)
    settings = load_settings(path)
    typer.echo(f"good  {path}")
    found = asyncio.run(examine(settings))
    for finding in found:
        typer.echo(f"{'good' if finding.good else 'BAD '}  {finding.part}: {finding.said}")
    if not all(finding.good for finding in found):
        raise typer.Exit(1)
