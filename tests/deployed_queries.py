"""Every question that the shipped dashboard and alarm rules ask, and whether a Prometheus has answers to them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.peers.prometheus import PrometheusServer

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "drift.json"
RULES = DEPLOY / "prometheus" / "rules" / "edge-agent.yml"
METRIC = re.compile(r"\bedge_agent_[a-z0-9_]+")
OF_A_PEER = re.compile(r"edge_agent_(broker_last_success|triton_canary)_")
"""Metrics that exist only where the peer is configured."""


@dataclass(frozen=True, slots=True)
class Question:
    """One expression and where it stands."""

    place: str
    expression: str


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return loaded


def rules(path: Path = RULES) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]


def panel_questions(interval: str = "5s", window: str | None = None) -> Iterator[Question]:
    """Every panel's expressions with all instances and streams chosen; `window`, if given, replaces the fixed ranges too."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$__rate_interval", interval).replace("$instance", ".*").replace("$stream", ".*")
            if window is not None:
                expression = re.sub(r"\[\d+[smh]\]", f"[{window}]", expression)
            yield Question(f"panel {panel['title']!r}", expression)


def annotation_questions(offset: str = "30s") -> Iterator[Question]:
    """What the dashboard marks on all its panels; `offset` replaces how far back it compares."""
    for annotation in dashboard()["annotations"]["list"]:
        if "expr" in annotation:
            expression = annotation["expr"].replace("$instance", ".*").replace("$stream", ".*")
            yield Question(f"annotation {annotation['name']!r}", expression.replace("offset 30s", f"offset {offset}"))


def rule_questions() -> Iterator[Question]:
    """Every alarm's expression."""
    for rule in rules():
        yield Question(f"rule {rule['alert']}", rule["expr"])


def selectors(expression: str) -> list[str]:
    """The agent's metrics that `expression` reads."""
    return METRIC.findall(expression)


def unanswered(server: PrometheusServer, *, window: str | None = None, peers: bool = True) -> list[str]:
    """Panels without data, and rules and annotations that read a metric nobody exports, on a Prometheus that scrapes a live agent.

    Args:
        server: the Prometheus.
        window: a range that replaces those of the panels, for an agent that has lived for seconds only.
        peers: whether broker and Triton are configured; else questions about them may go unanswered.
    """
    lacking = []
    for question in panel_questions(window=window):
        if not server.query(question.expression) and (peers or not OF_A_PEER.search(question.expression)):
            lacking.append(f"{question.place} has no data: {question.expression}")
    for question in [*rule_questions(), *annotation_questions()]:
        server.query(question.expression)
        for metric in selectors(question.expression):
            if not server.query(f"count({metric})") and (peers or not OF_A_PEER.search(metric)):
                lacking.append(f"{question.place} reads {metric}, which nobody exports")
    return lacking
