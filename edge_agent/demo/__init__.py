"""A rehearsal in two minutes: real micrographs, the real agent, and an honest table at the end."""

from __future__ import annotations

from edge_agent.demo.demo import run_demo
from edge_agent.demo.outcome import Alarm, Outcome, Row, compare

__all__ = ["Alarm", "Outcome", "Row", "compare", "run_demo"]
