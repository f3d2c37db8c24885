"""Everything that an installation can get wrong, tried part by part, each on its own, so that one report names all that is wrong.

Nothing is written but what is said: a test alert to those whom [alert] names, a scratch topic at the broker, a temporary file in the
state directory, a frame in a temporary folder for a decoder to read, and with leave a hidden file in the watched folders. Beside a running
agent none of it is in its way.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from edge_agent.agent.alerting import send_test
from edge_agent.agent.examination.access import access, findings_as
from edge_agent.agent.examination.arrivals import file_system
from edge_agent.agent.examination.decoder import decoder
from edge_agent.agent.examination.disk import disk
from edge_agent.agent.examination.events import events
from edge_agent.agent.examination.finding import Finding, awaited, fine, tried
from edge_agent.agent.examination.folders import listing
from edge_agent.agent.examination.here import configuration, running_agent, whose
from edge_agent.agent.examination.limits import limits
from edge_agent.agent.examination.model import model
from edge_agent.agent.examination.scrape import scrape
from edge_agent.agent.presence import present
from edge_agent.core.clock import SystemClock

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.config import Settings

__all__ = ["Finding", "examine"]


async def examine(settings: Settings, path: Path, *, probe: bool = False, user: str | None = None) -> list[Finding]:
    """Try every part of what the file at `path` configures.

    Args:
        settings: as read from it.
        path: the file.
        probe: whether one hidden file may be written into each watched folder, for a second.
        user: whose access to files and folders is tried, and whose decoder; only root may try another's than its own.
    """
    agent = await asyncio.to_thread(present, settings)
    if user:
        allowed = [*findings_as(user, lambda: access(settings, path)), *findings_as(user, decoder)]
    else:
        allowed = [*await tried("access", lambda: access(settings, path)), *await tried("decoder", decoder)]
    found = [*configuration(path), *await tried("agent", lambda: running_agent(settings, agent)), *whose(settings, agent, user), *allowed]
    for stream in settings.stream:
        name = f"stream {stream.name}"
        if all(finding.good for finding in allowed if finding.part == f"{name}: folder"):
            found += await tried(f"{name}: files", lambda stream=stream: listing(settings, stream))  # type: ignore[misc]
            found += await tried(f"{name}: events", lambda stream=stream: file_system(stream, probe=probe))  # type: ignore[misc]
        if all(finding.good for finding in allowed if finding.part == f"{name}: model's files"):
            found += await awaited(f"{name}: model", model(settings, stream))
    found += await tried("disk", lambda: disk(settings, path))
    found += await tried("events", lambda: events(settings))
    if settings.alert.command is not None or settings.alert.webhook is not None or settings.alert.webhook_file is not None:
        found += await awaited("alerts", _told(settings))
    found += await tried("http", lambda: scrape(settings, agent))
    return found + await tried("limits", lambda: limits(settings))


async def _told(settings: Settings) -> list[Finding]:
    return [fine("alerts", await send_test(settings, SystemClock()))]
