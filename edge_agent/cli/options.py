"""Options that several verbs share."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Configuration file; else $EDGE_AGENT_CONFIG, ./edge-agent.toml, the platform's place."),
]
TIME_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
SinceOption = Annotated[
    datetime | None, typer.Option(formats=TIME_FORMATS, help="Frames taken from this time on, UTC unless it says otherwise.")
]
UntilOption = Annotated[datetime | None, typer.Option(formats=TIME_FORMATS, help="Frames taken up to this time, likewise.")]
StreamOption = Annotated[str | None, typer.Option("--stream", help="The stream; needed where the configuration has several.")]
WhoOption = Annotated[str, typer.Option("--who", metavar="NAME", help="Who orders it; kept, and told in the event.")]
WhyOption = Annotated[str, typer.Option("--why", metavar="TEXT", help="Why; kept, and told in the event.")]


def utc(at: datetime | None) -> datetime | None:
    """A time from the command line, in UTC where it names no zone."""
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)
