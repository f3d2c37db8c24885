"""`edge-agent demo`: a rehearsal on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    seed: Annotated[int, typer.Option(min=0, help="Draws images, fields of view and noise.")] = 0,
    out: Annotated[Path, typer.Option(help="The folder for the picture.")] = Path(),
    declared: Annotated[
        bool, typer.Option("--declared/--undeclared", help="Whether samples carry the lot their operator believes them to be.")
    ] = True,
    rate: Annotated[float, typer.Option(min=0.0, help="Frames a second the instrument writes; 0 for at once.")] = 6.0,
) -> None:
    """Watch a simulated instrument: normal frames, a filament change, an unseen lot, rubbish; exit code 1 when one is missed or misnamed.

    Example: edge-agent demo --seed 3 --out demo
    """
    from rich.console import Console

    from edge_agent.demo import run_demo
    from edge_agent.observe import configure_logging

    configure_logging("error", "console")
    if not run_demo(out, Console(), seed=seed, rate=rate, declared=declared).passed:
        raise typer.Exit(1)
