"""What is there before anything is tried: the configuration's place, the agent that runs, and whose account looks."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edge_agent.agent.examination.access import account, is_folder
from edge_agent.agent.examination.finding import fine, mend, note
from edge_agent.agent.overview import readiness
from edge_agent.config import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.agent.examination.finding import Finding
    from edge_agent.agent.presence import Present
    from edge_agent.config import Settings


def configuration(path: Path) -> Iterator[Finding]:
    """Which file is in force, and what the environment lays over it."""
    over = sorted(name for name in os.environ if name.upper().startswith(PREFIX))
    said = f"; over it {', '.join(over)} of the environment, which a service may not have" if over else ""
    yield fine("configuration", f"{path.absolute()} is in force{said}")


def running_agent(settings: Settings, agent: Present | None) -> Iterator[Finding]:
    """The agent that holds the state directory, and what it says of itself."""
    if agent is None:
        yield fine("agent", "none runs here")
        return
    card = agent.card
    since = "" if card is None else f" since {datetime.fromtimestamp(card.since_ns / 1e9, UTC):%Y-%m-%d %H:%M:%S} UTC"
    version = "" if card is None else f" {card.version}"
    yield fine("agent", f"edge-agent{version}, process {agent.pid}, runs here{since}{f' as {agent.account}' if agent.account else ''}")
    if card is None:
        return
    told = readiness(settings, agent)
    if told.why:
        yield mend("agent", f"its readiness cannot be asked at {card.url} ({told.why}); restart it with this configuration")
    for name, part in told.parts.items():
        if part["state"] != "ok":
            yield mend(f"agent: {name}", f"{part['state']}: {part['reason']}")


def whose(settings: Settings, agent: Present | None, user: str | None) -> Iterator[Finding]:
    """Which account is tried, and whether the agent's is another."""
    tried, service = user or account(), (agent.account if agent else "") or _owner(settings.agent.place)
    if service and service != tried:
        how = f"`doctor --as {service}`, as root," if sys.platform != "win32" else f"`runas /user:{service}` with this"
        yield note("account", f"files and folders are tried as {tried}, but the agent runs as {service}: {how} tries them as that")
    else:
        yield fine("account", f"files and folders are tried as {tried}")


def _owner(place: Path) -> str:
    """Whose state directory it is: the account that the agent ran as before."""
    if sys.platform == "win32" or not is_folder(place):
        return ""
    with suppress(KeyError, OSError):
        return place.owner()
    return ""
