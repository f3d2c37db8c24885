"""Real agents, with a real Kafka and a real Triton, scraped by a real Prometheus that evaluates the shipped rules."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

import pytest

from tests.an_agent import AgentProcess, frame, until, write_frame
from tests.conftest import absent
from tests.deployed_queries import RULES, rules, unanswered
from tests.peers.prometheus import PrometheusServer, why_absent
from tests.peers.triton import triton_serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.peers.kafka import KafkaBroker

IMPATIENT = """
from edge_agent.agent import chores
chores.CANARY_EVERY_S = 1.0
chores.OUTBOX_EVERY_S = 0.5
"""


def hurried_rules(folder: Path) -> Path:
    """The shipped rules with seconds for the minutes that an alarm waits; the ranges they look back over stay."""
    path = folder / "rules.yml"
    path.write_text(re.sub(r"for: \w+$", "for: 2s", RULES.read_text(), flags=re.MULTILINE))
    return path


def firing(prometheus: PrometheusServer) -> set[tuple[str, str]]:
    return {(one["labels"].get("instance", ""), one["labels"]["alertname"]) for one in prometheus.alerts() if one["state"] == "firing"}


@pytest.mark.timeout(180)
def test_every_dashboard_query_is_answered_and_only_the_drifting_agent_is_alarmed(
    tmp_path: Path, models: Path, kafka: KafkaBroker, kcat: None
) -> None:
    if reason := why_absent("prometheus"):
        absent("prometheus", reason)
    with contextlib.ExitStack() as running:
        triton = running.enter_context(triton_serving(models / "tiny", tmp_path))

        def agent(name: str) -> AgentProcess:
            return AgentProcess(
                tmp_path / name,
                tmp_path / f"{name}-images",
                model_dirs=models,
                name=name,
                stream=f'model.backend = "triton"\nmodel.url = "{triton.url}"\nsettle_timeout_s = 0.5',
                tables=f'[kafka]\nbootstrap_servers = "{kafka.address}"\n',
            )

        agents = {name: running.enter_context(agent(name)) for name in ("well", "drifting")}
        for one in agents.values():
            one.start(first=IMPATIENT)
        targets = []
        for name, one in agents.items():
            one.ready()
            targets.append({"targets": [one.url.removeprefix("http://")], "labels": {"instance": name}})
        scrape = {"job_name": "edge-agent", "static_configs": targets}
        prometheus = running.enter_context(
            PrometheusServer(tmp_path / "prometheus", [scrape], rule_files=[hurried_rules(tmp_path)], interval="500ms")
        )

        (agents["drifting"].watched / "text.tif").write_bytes(b"no image\n" * 200)
        number = 0

        def alarmed() -> bool:
            """Another frame for each, until the alarm that should come has come."""
            nonlocal number
            for name, one in agents.items():
                noise = 30.0 if name == "drifting" and number >= 15 else 6.0
                write_frame(one.watched / f"S{number // 15:02d}" / f"{number:04d}.tif", frame(number, noise=noise))
            number += 1
            return {("drifting", "EdgeAgentOutOfDistribution"), ("drifting", "EdgeAgentDrift")} <= firing(prometheus)

        until(alarmed, "the drifting agent's alarm", 60)
        until(lambda: not unanswered(prometheus, window="5s"), f"answers to {unanswered(prometheus, window='5s')}", 20)
        assert {alarm for instance, alarm in firing(prometheus) if instance == "drifting"} == {
            "EdgeAgentOutOfDistribution",
            "EdgeAgentDrift",
        }
        assert [alarm for instance, alarm in firing(prometheus) if instance == "well"] == []
        evaluated = [rule for group in prometheus.get("/api/v1/rules")["data"]["groups"] for rule in group["rules"]]
        assert [rule["name"] for rule in evaluated] == [rule["alert"] for rule in rules()]
        assert [(rule["name"], rule["lastError"]) for rule in evaluated if rule["health"] != "ok"] == []

        told = {name: [record.value for record in kafka.read("edge.alerts") if record.value["agent"] == name] for name in agents}
        assert told["well"] == []
        (gauge,) = prometheus.query('edge_agent_alert_open{instance="drifting"} == 1')
        assert told["drifting"][-1]["kind"] == gauge["metric"]["kind"]
        for one in agents.values():
            assert one.stop() == 0
