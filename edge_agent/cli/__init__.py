"""The command line: one file a verb; nothing but parsing, calling and printing."""

from __future__ import annotations

import sys

import typer

from edge_agent.cli import alarm, baseline, calibrate, config, demo, doctor, hold, init, inspect, replay, run, service, simulate, status
from edge_agent.core.errors import EdgeAgentError
from edge_agent.core.printable import printable

app = typer.Typer(
    name="edge-agent",
    help="Watch an instrument's frames, ask a deep ensemble, and say when its answers stop being trustworthy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(init.command)
app.command("run")(run.command)
app.command("doctor")(doctor.command)
app.add_typer(config.app, name="config")
app.command("status")(status.command)
app.add_typer(baseline.app, name="baseline")
app.command("hold")(hold.command)
app.add_typer(alarm.app, name="alarm")
app.command("inspect")(inspect.command)
app.command("replay")(replay.command)
app.command("calibrate")(calibrate.command)
app.command("simulate")(simulate.command)
app.add_typer(service.app, name="service")
app.command("demo")(demo.command)

_debug = False


def _version(wanted: bool) -> None:
    if wanted:
        from edge_agent import __version__

        typer.echo(f"edge-agent {__version__}")
        raise typer.Exit


@app.callback()
def _global(
    debug: bool = typer.Option(False, "--debug", help="Show tracebacks."),
    _show_version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    global _debug  # noqa: PLW0603 - main() needs the flag after typer has unwound
    _debug = debug


def main() -> None:
    """Run the command line; an expected error is one line on standard error and an exit code."""
    try:
        app()
    except EdgeAgentError as error:
        if _debug:
            raise
        sys.stderr.write(f"edge-agent: {printable(str(error))}\n")
        sys.exit(error.exit_code)
