"""One list of metric names: the code's, the table's in deploy/README.md, and those that dashboard and rules read, are the same."""

from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families

from edge_agent.observe import Metrics
from tests.deployed_queries import DEPLOY, annotation_questions, panel_questions, rule_questions, rules, selectors

ROW = re.compile(r"^\| `([a-z_]+)`(?: \*)? \| (counter|gauge|histogram) \| ([a-z, ]*) ?\|", re.MULTILINE)
HISTOGRAM_PARTS = re.compile(r"_(bucket|sum|count)$")


def in_code() -> dict[str, tuple[str, frozenset[str]]]:
    """Name -> type and labels, of a wholly configured agent."""
    metrics = Metrics(["sem"], "kafka", "1", triton=True)
    metrics.model("sem", "sem-real", "1", "f" * 64)
    found = {}
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        if family.name.startswith("edge_agent_"):
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = frozenset(label for sample in family.samples for label in sample.labels) - {"le"}
            found[name] = (family.type, labels)
    return found


def in_table() -> dict[str, tuple[str, frozenset[str]]]:
    text = (DEPLOY / "README.md").read_text(encoding="utf-8")
    return {f"edge_agent_{name}": (kind, frozenset(re.findall(r"[a-z]+", labels))) for name, kind, labels in ROW.findall(text)}


def test_code_and_table_tell_the_same_names_types_and_labels():
    assert in_code() == in_table()


def test_dashboard_and_rules_read_every_metric_and_no_other():
    read = {
        name for question in [*panel_questions(), *annotation_questions(), *rule_questions()] for name in selectors(question.expression)
    }

    assert {HISTOGRAM_PARTS.sub("", name) for name in read} == set(in_code())


def test_every_alarm_has_its_place_in_the_runbook():
    headings = re.findall(r"^### (\w+)$", (DEPLOY / "README.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert headings == [rule["alert"] for rule in rules()]
    assert {rule["annotations"]["runbook"] for rule in rules()} == {f"deploy/README.md#{heading.lower()}" for heading in headings}
