"""A real Prometheus scrapes the real health server of a well agent and an ill one; a real Alertmanager hears of the ill one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from edge_agent.config import HttpSettings
from edge_agent.core.clock import SystemClock
from edge_agent.core.verdict import Cause, DriftState, Kind, Phase
from edge_agent.observe import HealthServer, Metrics, PartState, Watchdog
from tests.conftest import absent
from tests.deployed_queries import DEPLOY, RULES, annotation_questions, panel_questions, rules, unanswered
from tests.peers.prometheus import AlertmanagerServer, PrometheusServer, free_port, why_absent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE_S = 30.0
STREAM = "sem"


def live_well(metrics: Metrics, number: int) -> None:
    """One frame of an agent that has nothing to complain of; now and then an odd file."""
    now_s = time.time()
    metrics.discovered(STREAM, "event" if number % 5 else "scan")
    metrics.settled(STREAM, 1.02)
    for stage in ("settle", "read", "predict", "judge", "commit", "publish"):
        metrics.stage_time(stage, 0.01)
    metrics.queue_length("predict", number % 3)
    metrics.requests_in_flight(number % 2)
    metrics.frame_done(STREAM, "scored", size=1_000_000, at_s=now_s, entropy=0.1, mutual_information=0.01, referred=number % 10 == 0)
    if number % 10 == 0:
        metrics.sample_began(STREAM)
    metrics.held(STREAM, held=number % 40 < 20)
    metrics.drift(STREAM, 1.0 + number % 3, 4.3, DriftState.IN_CONTROL)
    metrics.members(STREAM, 5, 0, 0)
    metrics.outbox(0, None)
    metrics.published("kafka", 1, now_s)
    metrics.canary_answered(now_s)


def live_ill(metrics: Metrics, number: int) -> None:
    """One moment of an agent that everything has happened to."""
    metrics.watch_state(STREAM, up=False)
    metrics.frame_done(STREAM, "scored", size=1_000_000, at_s=time.time(), entropy=0.9, mutual_information=0.3, referred=True)
    metrics.frame_done(STREAM, "quarantined", size=10, at_s=time.time(), entropy=None, mutual_information=None, referred=False)
    metrics.quarantined(STREAM, "truncated")
    metrics.not_judged(STREAM, Cause.LOT)
    metrics.drift(STREAM, 30.0, 4.3, DriftState.ALARM)
    if number == 0:
        metrics.episode(STREAM, Kind.DETECTOR_FAULT, Phase.OPENED)
    metrics.open_episodes(STREAM, [Kind.DETECTOR_FAULT, Kind.DEGRADED])
    metrics.members(STREAM, 3, 1, 1)
    metrics.outbox(12 + number, time.time() - 3600)
    metrics.publish_failed("kafka", "unavailable")
    metrics.publish_failed("webhook", "unavailable")


@contextlib.contextmanager
def agent(live: Callable[[Metrics, int], None], token: Path) -> Iterator[str]:
    """The metrics and health half of an agent, on a loop of its own; yields host:port."""
    metrics = Metrics([STREAM], "kafka", "1.2.3", triton=True, alerted=["webhook"])
    metrics.model(STREAM, "sem-real", "1", "f" * 64)
    metrics.watch_state(STREAM, up=True)
    metrics.open_episodes(STREAM, [])
    addresses: list[str] = []
    listening, enough = threading.Event(), threading.Event()

    async def serve() -> None:
        watchdog = Watchdog(SystemClock(), {})
        pulse = asyncio.create_task(watchdog.run())
        server = HealthServer(HttpSettings(listen="127.0.0.1:0", token_file=token), metrics, lambda: {"all": PartState("ok")}, watchdog)
        await server.start()
        addresses.append(server.url.removeprefix("http://"))
        listening.set()
        number = 0
        while not enough.is_set():
            live(metrics, number)
            number += 1
            await asyncio.sleep(0.05)
        await server.close()
        pulse.cancel()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert listening.wait(10)
        yield addresses[0]
    finally:
        enough.set()
        thread.join()


@contextlib.contextmanager
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A receiver of notifications; yields its address and what it was told."""
    told: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def hurried_rules(folder: Path) -> Path:
    """The shipped rules with seconds for minutes where they wait, so that a test need not."""
    text = re.sub(r"for: \w+$", "for: 1s", RULES.read_text(), flags=re.MULTILINE)
    path = folder / "rules.yml"
    path.write_text(re.sub(r"(success|canary)_timestamp_seconds\[\dm\]", r"\1_timestamp_seconds[4s]", text))
    return path


def hurried_alertmanager(url: str) -> dict[str, Any]:
    """The shipped configuration, told whom to notify and not to wait."""
    config: dict[str, Any] = yaml.safe_load((DEPLOY / "alertmanager" / "alertmanager.yml").read_text())
    config["route"] |= {"group_wait": "0s", "group_interval": "1s"}
    config["receivers"][0]["webhook_configs"] = [{"url": url}]
    return config


def scrape_configuration(token: Path, **targets: str) -> dict[str, Any]:
    """The shipped job, pointed at the test's agents, each under its name as instance."""
    shipped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    job: dict[str, Any] = next(job for job in shipped["scrape_configs"] if job["job_name"] == "edge-agent")
    job["authorization"]["credentials_file"] = str(token)
    job["static_configs"] = [{"targets": [target], "labels": {"instance": name}} for name, target in targets.items()]
    return job


@dataclass(frozen=True)
class Laboratory:
    prometheus: PrometheusServer
    alertmanager: AlertmanagerServer
    told: list[dict[str, Any]]


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    for name in ("prometheus", "alertmanager"):
        if reason := why_absent(name):
            absent(name, reason)
    folder = tmp_path_factory.mktemp("laboratory")
    token = folder / "metrics_token"
    token.write_text("open-sesame\n")
    with contextlib.ExitStack() as running:
        well = running.enter_context(agent(live_well, token))
        ill = running.enter_context(agent(live_ill, token))
        url, told = running.enter_context(webhook())
        alertmanager = running.enter_context(AlertmanagerServer(folder / "alertmanager", hurried_alertmanager(url)))
        prometheus = running.enter_context(
            PrometheusServer(
                folder / "prometheus",
                [scrape_configuration(token, well=well, ill=ill, gone=f"127.0.0.1:{free_port()}")],
                rule_files=[hurried_rules(folder)],
                alertmanager=f"127.0.0.1:{alertmanager.port}",
            )
        )
        yield Laboratory(prometheus, alertmanager, told)


def eventually(look: Callable[[], Any], wanted: Any) -> None:
    """Wait until `look` gives `wanted`; fail with what it gave last."""
    deadline = time.monotonic() + PATIENCE_S
    while (seen := look()) != wanted and time.monotonic() < deadline:
        time.sleep(0.2)
    assert seen == wanted


def firing(laboratory: Laboratory) -> set[tuple[str, str]]:
    return {
        (alert["labels"]["instance"], alert["labels"]["alertname"])
        for alert in laboratory.prometheus.alerts()
        if alert["state"] == "firing"
    }


ILLNESSES = {rule["alert"] for rule in rules()} - {"EdgeAgentSilent", "EdgeAgentRestarting"}
EXPECTED = {("ill", name) for name in ILLNESSES} | {("gone", "EdgeAgentSilent")}


def test_every_panel_and_every_rule_finds_data(laboratory: Laboratory):
    eventually(lambda: unanswered(laboratory.prometheus), [])


def test_samples_holds_and_episodes_are_marked_on_the_dashboard(laboratory: Laboratory):
    asked = {question.place: question.expression for question in annotation_questions(offset="2s")}

    def marked() -> set[str]:
        return {place for place, expression in asked.items() if laboratory.prometheus.query(expression)}

    wanted = {"annotation 'Episodes'", "annotation 'Held'", "annotation 'Other alarms'", "annotation 'Samples'"}
    seen: set[str] = set()
    eventually(lambda: seen.update(marked()) or wanted <= seen, wanted=True)


def test_evidence_is_drawn_in_frames_up_to_a_hundred_times_its_limit(laboratory: Laboratory):
    evidence, limit = (question.expression for question in panel_questions() if "drift_threshold" in question.expression)

    def drawn(expression: str) -> dict[str, float]:
        return {one["metric"]["instance"]: float(one["value"][1]) for one in laboratory.prometheus.query(expression)}

    assert drawn(limit) == pytest.approx({"well": 10**4.3, "ill": 10**4.3})
    assert drawn(evidence)["ill"] == pytest.approx(10**6.3)
    assert drawn(evidence)["well"] in (10.0, 100.0, 1000.0)


def test_the_ill_and_the_silent_are_alarmed_and_the_well_is_not(laboratory: Laboratory):
    eventually(lambda: firing(laboratory), EXPECTED)


def test_every_rule_is_evaluated_and_every_text_rendered(laboratory: Laboratory):
    eventually(lambda: firing(laboratory), EXPECTED)

    evaluated = [rule for group in laboratory.prometheus.get("/api/v1/rules")["data"]["groups"] for rule in group["rules"]]
    texts = [text for alert in laboratory.prometheus.alerts() for text in alert["annotations"].values()]
    assert [(rule["name"], rule["lastError"]) for rule in evaluated if rule["health"] != "ok"] == []
    assert not [text for text in texts if "error" in text.lower() or "<no value>" in text or "{{" in text]
    assert any('most as "truncated"' in text for text in texts)


def test_alertmanager_notifies_once_for_one_cause(laboratory: Laboratory):
    def seen() -> dict[str, bool]:
        alerts = [alert for alert in laboratory.alertmanager.alerts() if alert["labels"]["instance"] == "ill"]
        return {alert["labels"]["alertname"]: bool(alert["status"]["inhibitedBy"]) for alert in alerts}

    eventually(seen, {name: name in {"EdgeAgentDrift", "EdgeAgentOutboxAgeing"} for name in ILLNESSES})


def test_the_notification_says_what_to_do(laboratory: Laboratory):
    def told() -> set[str]:
        return {
            alert["annotations"]["description"]
            for alert in laboratory.told
            if (alert["labels"]["alertname"], alert["labels"]["instance"]) == ("EdgeAgentOutOfDistribution", "ill")
        }

    eventually(told, {"The detector delivers no usable signal. Stop the acquisition and call service."})
    critical = {alert["labels"]["severity"] for alert in laboratory.told if alert["labels"].get("kind") == "detector_fault"}
    assert critical == {"critical"}
