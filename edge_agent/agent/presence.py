"""A running agent as others on its machine find it: the lock says that it runs, a card in the state directory where it listens."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from edge_agent import __version__
from edge_agent.config import read_secret
from edge_agent.core.whole_file import write_whole
from edge_agent.journal import running
from edge_agent.observe import get

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.config import Settings

CARD = "running.json"


class Card(BaseModel):
    """What an agent leaves in its state directory while it runs."""

    model_config = ConfigDict(frozen=True)

    pid: int
    version: str
    since_ns: int
    url: str


@dataclass(frozen=True, slots=True)
class Present:
    """An agent that runs.

    Attributes:
        pid: its process.
        account: the user it runs as; "" where that may not be known.
        memory_bytes: resident; None where that may not be known.
        card: what it says of itself; None of one that is only starting, or whose card this user may not read.
    """

    pid: int
    account: str
    memory_bytes: int | None
    card: Card | None


@dataclass(frozen=True, slots=True)
class Readiness:
    """What /readyz answered.

    Attributes:
        status: ok, degraded or unready; "" where nothing could be asked.
        parts: the state and reason of each part, by name.
        why: why nothing could be asked.
    """

    status: str
    parts: dict[str, dict[str, str]]
    why: str = ""


def leave_card(place: Path, url: str, since_ns: int) -> None:
    """Say where this process listens; a full disk keeps nobody from running."""
    with contextlib.suppress(OSError):
        write_whole(place / CARD, Card(pid=os.getpid(), version=__version__, since_ns=since_ns, url=url).model_dump_json().encode())


def take_card(place: Path) -> None:
    """Take it away at the end; one that a kill left behind is not believed, for it names another process."""
    with contextlib.suppress(OSError):
        (place / CARD).unlink(missing_ok=True)


def present(settings: Settings) -> Present | None:
    """The agent that holds the state directory now, or None."""
    pid = running(settings.agent.place)
    if pid is None:
        return None
    account, memory = "", None
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        account, memory = process.username(), process.memory_info().rss
    try:
        card = Card.model_validate_json((settings.agent.place / CARD).read_bytes())
    except (OSError, ValidationError):
        card = None
    return Present(pid, account, memory, card if card is not None and card.pid == pid else None)


def ask_agent(settings: Settings, agent: Present, path: str) -> tuple[int, bytes]:
    """What it serves at `path`; raises OSError, HTTPException or ConfigurationError (the token's file)."""
    http_settings = settings.http
    token = http_settings.token.get_secret_value() if http_settings.token else ""
    if http_settings.token_file is not None:
        token = read_secret("[http] token_file", http_settings.token_file)
    if agent.card is None:
        raise ConnectionError("it does not say where it listens yet")
    return get(agent.card.url, path, token, http_settings.tls_certificate_file)
