"""The composition root: settings in, parts built, run, orderly stop. The only room that knows every part."""

from __future__ import annotations

from edge_agent.agent.agent import Agent
from edge_agent.agent.examination import Finding, examine
from edge_agent.agent.foresight import check, plan
from edge_agent.agent.run import run_agent

__all__ = ["Agent", "Finding", "check", "examine", "plan", "run_agent"]
