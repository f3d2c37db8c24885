"""What the agent tells about itself: metrics, health, life signs to the service manager, and its log."""

from __future__ import annotations

from edge_agent.observe.asking import get
from edge_agent.observe.http import AddressTakenError, HealthServer, bind, check_http
from edge_agent.observe.logging import configure_logging, hide_in_tracebacks
from edge_agent.observe.metrics import Metrics
from edge_agent.observe.parts import PartState, PartStatus, overall
from edge_agent.observe.watchdog import Watchdog

__all__ = [
    "AddressTakenError",
    "HealthServer",
    "Metrics",
    "PartState",
    "PartStatus",
    "Watchdog",
    "bind",
    "check_http",
    "configure_logging",
    "get",
    "hide_in_tracebacks",
    "overall",
]
