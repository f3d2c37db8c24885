"""`edge-agent service`: the agent as a service of this machine."""

from __future__ import annotations

import typer

from edge_agent.cli.options import ConfigOption

app = typer.Typer(
    help="Run the agent as a service: from the machine's start on, without anybody logged in.\n\nExample: edge-agent service install",
    no_args_is_help=True,
)
NAME = typer.Option("edge-agent", "--name", help="The service's name; a second agent on a machine needs a second name.")


@app.command("install")
def install(
    config: ConfigOption = None,
    name: str = NAME,
    account: str | None = typer.Option(None, help="The account it runs as; it must be able to read the folders. Linux: edge-agent."),
    ask_password: bool = typer.Option(False, "--password", help="Windows: ask for the account's password."),
) -> None:
    """Make the agent a service with this configuration, and start it.

    Example: edge-agent service install --config /etc/edge-agent/edge-agent.toml
    """
    from edge_agent.config import find_configuration, load_settings
    from edge_agent.service import service_of

    path = find_configuration(config).absolute()
    settings = load_settings(path)
    password = typer.prompt(f"Password of {account}", hide_input=True) if ask_password and account else None
    typer.echo(service_of(name).install(path, settings, account, password))


@app.command("uninstall")
def uninstall(name: str = NAME) -> None:
    """Stop the service and remove it; the agent's state and configuration stay.

    Example: edge-agent service uninstall
    """
    from edge_agent.service import service_of

    typer.echo(service_of(name).uninstall())


@app.command("status")
def status(name: str = NAME) -> None:
    """Say whether the service is installed and runs; exit code 1 when it does not. `edge-agent status` tells how the agent itself stands.

    Example: edge-agent service status
    """
    from edge_agent.service import service_of

    state = service_of(name).status()
    typer.echo(state.said)
    if not state.running:
        raise typer.Exit(1)
