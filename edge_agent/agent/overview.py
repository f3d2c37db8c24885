"""How an installation stands: the agent by its own word where one runs, and the journal whether or not."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from edge_agent.agent.ask import waiting_orders
from edge_agent.agent.false_alarms import FalseAlarms, false_alarms
from edge_agent.agent.presence import Present, Readiness, ask_agent, present
from edge_agent.core.errors import ConfigurationError
from edge_agent.journal import JournalStatus, JournalView, Quarantined

if TYPE_CHECKING:
    from edge_agent.config import Settings
    from edge_agent.pipeline import Order


QUOTED = 100
"""Characters of an answer that is not the agent's own word."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What `edge-agent status` shows.

    Attributes:
        agent: the agent that runs; None without one.
        ready: what it says of its parts; None without one.
        journal: what became of files and events.
        journal_bytes: its size on the disk.
        orders: operators' orders that wait.
        quarantined: the newest files that could not be used.
        last_frames: the newest frames' event data.
        false_alarms: each stream's, beside those it was set for.
    """

    agent: Present | None
    ready: Readiness | None
    journal: JournalStatus
    journal_bytes: int
    orders: tuple[Order, ...]
    quarantined: tuple[Quarantined, ...]
    last_frames: tuple[dict[str, Any], ...]
    false_alarms: tuple[FalseAlarms, ...]

    def as_object(self) -> dict[str, Any]:
        """For programs: the journal's counts at the top, the rest beside them."""
        return {
            "agent": None if self.agent is None else _of_agent(self.agent, self.ready),
            **dataclasses.asdict(self.journal),
            "journal_bytes": self.journal_bytes,
            "orders_waiting": [order.model_dump(exclude_none=True) for order in self.orders],
            "quarantined": [dataclasses.asdict(one) for one in self.quarantined],
            "last_frames": list(self.last_frames),
            "false_alarms": [dataclasses.asdict(one) for one in self.false_alarms],
        }


def _of_agent(agent: Present, ready: Readiness | None) -> dict[str, Any]:
    card = agent.card
    return {
        "pid": agent.pid,
        "account": agent.account,
        "memory_bytes": agent.memory_bytes,
        "version": None if card is None else card.version,
        "since_ns": None if card is None else card.since_ns,
        "url": None if card is None else card.url,
        "status": (ready and ready.status) or None,
        "parts": ready.parts if ready else {},
        "not_asked": ready.why if ready else "",
    }


def overview(settings: Settings, frames: int, quarantined: int) -> Overview:
    """Look at the agent and its journal; raises JournalError where none can be read. An agent that does not answer is told, no more."""
    view = JournalView(settings.agent.place)
    agent = present(settings)
    return Overview(
        agent=agent,
        ready=None if agent is None else readiness(settings, agent),
        journal=view.status(),
        journal_bytes=view.size_bytes,
        orders=tuple(waiting_orders(settings)),
        quarantined=tuple(view.quarantined(quarantined)),
        last_frames=tuple(view.last_frames(frames)),
        false_alarms=tuple(false_alarms(settings, view)),
    )


def readiness(settings: Settings, agent: Present) -> Readiness:
    """How the agent's parts stand, by its own word."""
    try:
        status, body = ask_agent(settings, agent, "/readyz")
    except (OSError, http.client.HTTPException, ValueError, ConfigurationError) as error:
        return Readiness("", {}, " ".join(str(error).split()) or type(error).__name__)
    if status in {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE}:
        with contextlib.suppress(ValueError, KeyError, TypeError):  # not its own word, but its server's or another program's
            told = json.loads(body)
            return Readiness(str(told["status"]), dict(told["parts"]))
    return Readiness("", {}, _answered(status, body))


def _answered(status: int, body: bytes) -> str:
    if status == HTTPStatus.UNAUTHORIZED:
        return "it answers 401: the token has changed since it started"
    said = " ".join(body.decode("utf-8", "replace").split())[:QUOTED]
    busy = "; it may have more callers than it serves at once, ask again" if status == HTTPStatus.SERVICE_UNAVAILABLE else ""
    return f"it answers {status}{f' ({said})' if said else ''}{busy}"
