"""The shipped alarms under promtool: each fires, and none fires too early."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.conftest import absent
from tests.deployed_queries import DEPLOY, RULES, rules
from tests.peers.prometheus import command, why_absent

if TYPE_CHECKING:
    from pathlib import Path

TESTS = DEPLOY / "prometheus" / "tests" / "edge-agent.yml"


def tool(name: str) -> str:
    if reason := why_absent(name):
        absent("promtool" if name == "promtool" else "alertmanager", reason)
    found = command(name)
    assert found is not None
    return found


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True, timeout=100, check=False)


def passes(*arguments: str | Path) -> None:
    done = run(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_well_formed():
    passes(tool("promtool"), "check", "rules", "--lint-fatal", RULES)


def test_the_configuration_is_well_formed(tmp_path: Path):
    shipped = (DEPLOY / "prometheus" / "prometheus.yml").read_text()
    token = tmp_path / "metrics_token"
    token.write_text("secret")
    (tmp_path / "prometheus.yml").write_text(shipped.replace("/run/secrets/metrics_token", str(token)))
    (tmp_path / "rules").symlink_to(RULES.parent)

    passes(tool("promtool"), "check", "config", tmp_path / "prometheus.yml")


def test_alertmanagers_configuration_is_well_formed():
    passes(tool("amtool"), "check-config", DEPLOY / "alertmanager" / "alertmanager.yml")


def test_every_alarm_fires_and_keeps_silent_as_told():
    passes(tool("promtool"), "test", "rules", TESTS)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_every_alarm_is_told_to_fire_and_tells_the_reader_what_to_do(rule: dict):
    told = [
        sample["labels"]
        for test in yaml.safe_load(TESTS.read_text())["tests"]
        for question in test["promql_expr_test"]
        for sample in question["exp_samples"]
    ]

    assert any(re.search(rf'alertname="{rule["alert"]}".*firing', labels) for labels in told)
    assert rule["labels"]["severity"]
    assert len(rule["annotations"]["description"]) > 60


def test_an_impatient_alarm_would_be_caught(tmp_path: Path):
    """The silences are real: without their patience, all alarms that have some fail the tests."""
    patient = [rule["alert"] for rule in rules() if "for" in rule]
    hasty = re.sub(r"^ +for: .*\n", "", RULES.read_text(), flags=re.MULTILINE)
    (tmp_path / "hasty.yml").write_text(hasty)
    tests = TESTS.read_text().replace("../rules/edge-agent.yml", "hasty.yml")
    (tmp_path / "tests.yml").write_text(tests)

    done = run(tool("promtool"), "test", "rules", tmp_path / "tests.yml")

    assert done.returncode != 0
    assert {alert for alert in patient if f'alertname="{alert}"' not in done.stdout + done.stderr} == set()
