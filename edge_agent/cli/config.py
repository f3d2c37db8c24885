"""`edge-agent config`: show, check and describe the configuration."""

from __future__ import annotations

import typer

from edge_agent.cli.options import ConfigOption

HELP = """Show, check and describe the configuration.

Example: edge-agent config validate

Example: edge-agent config show
"""
app = typer.Typer(help=HELP, no_args_is_help=True)


@app.command("show")
def show(config: ConfigOption = None) -> None:
    """Print every setting in force, defaults included, secrets masked.

    Example: edge-agent config show --config edge-agent.toml
    """
    from edge_agent.config import find_configuration, load_settings

    typer.echo(load_settings(find_configuration(config)).model_dump_json(indent=2))


@app.command("validate")
def validate(config: ConfigOption = None) -> None:
    """Check the file, the folders and the models it names, without starting anything.

    Example: edge-agent config validate --config edge-agent.toml
    """
    from edge_agent.agent import check
    from edge_agent.config import find_configuration, load_settings, with_secrets
    from edge_agent.observe import hide_in_tracebacks

    path = find_configuration(config)
    settings = with_secrets(load_settings(path))
    hide_in_tracebacks(settings.secrets)
    for line in check(settings):
        typer.echo(line)
    typer.echo(f"{path}: good")


@app.command("schema")
def schema() -> None:
    """Print the configuration's JSON Schema.

    Example: edge-agent config schema > edge-agent.schema.json
    """
    import json

    from edge_agent.config import Settings

    typer.echo(json.dumps(Settings.model_json_schema(), indent=2))


@app.command("path")
def path(config: ConfigOption = None) -> None:
    """Print which configuration file would be used.

    Example: edge-agent config path
    """
    from edge_agent.config import find_configuration

    typer.echo(find_configuration(config).absolute())
