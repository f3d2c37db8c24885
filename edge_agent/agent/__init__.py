"""The composition root: settings in, parts built, run, orderly stop. The only room that knows every part."""

from __future__ import annotations

from edge_agent.agent.agent import Agent
from edge_agent.agent.ask import ask, withdraw
from edge_agent.agent.baselines import lines_about, stream_baselines
from edge_agent.agent.examination import Finding, examine
from edge_agent.agent.false_alarms import FalseAlarms, false_alarms
from edge_agent.agent.foresight import check, plan
from edge_agent.agent.overview import Overview, overview
from edge_agent.agent.run import run_agent

__all__ = [
    "Agent",
    "FalseAlarms",
    "Finding",
    "Overview",
    "ask",
    "check",
    "examine",
    "false_alarms",
    "lines_about",
    "overview",
    "plan",
    "run_agent",
    "stream_baselines",
    "withdraw",
]
