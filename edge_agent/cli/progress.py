"""Long work's progress on standard error: a bar or a count on a terminal, a plain line a minute elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EVERY_S = 60.0
LIVE_EVERY_S = 0.2


@contextmanager
def progress(label: str, total: int | None) -> Iterator[Callable[[], None]]:
    """Gives what to call after each step; `total` is how many there will be, None where nobody knows."""
    live = sys.stderr.isatty()
    if live and total is not None:
        with typer.progressbar(length=total, label=label, file=sys.stderr) as bar:
            yield lambda: bar.update(1)
        return
    done, told_at = 0, time.monotonic()

    def advance() -> None:
        nonlocal done, told_at
        done += 1
        if time.monotonic() - told_at >= (LIVE_EVERY_S if live else EVERY_S):
            told_at = time.monotonic()
            said = f"{label}: {done}" + (f" of {total}" if total is not None else "")
            typer.echo(f"\r{said}" if live else said, err=True, nl=not live)

    yield advance
    if live and done:
        typer.echo(f"\r{label}: {done}", err=True)
