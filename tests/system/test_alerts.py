"""An alert's whole way: the event first, then whoever is to be told, then its pictures; and nobody waits for anybody."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.an_agent import RUN, AgentProcess, frame, until, write_frame
from tests.calibrated_model import write_calibrated_model
from tests.peers.webhook import WebhookReceiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMPATIENT = "from edge_agent.agent import agent, alerting; alerting.LONGEST_WAIT_S = 0.2; agent.ONCE_PATIENCE_S = 2.0"


def edge_agent(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", RUN, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def mapping(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_calibrated_model(tmp_path_factory.mktemp("models"), with_map=True)


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as made:
        yield made


def lab(folder: Path, models: Path, alert: str = "") -> AgentProcess:
    """An agent, and frames whose noise rises with the third sample."""
    agent = AgentProcess(folder / "home", folder / "images", model_dirs=models, tables=f"[alert]\n{alert}")
    for number in range(45):
        write_frame(agent.watched / f"S{number // 15}" / f"{number:03d}.tif", frame(number, noise=6.0 if number < 30 else 30.0))
    return agent


def alerts(agent: AgentProcess) -> list[dict[str, Any]]:
    return agent.events("edge.alert.")


def test_an_alert_says_what_a_person_needs_and_its_pictures_are_there(tmp_path: Path, mapping: Path) -> None:
    agent = lab(tmp_path, mapping)
    assert agent.run_once() == 0, agent.log
    opened = alerts(agent)[0]
    data = opened["data"]
    assert opened["type"] == "edge.alert.opened.v1"
    assert "reference standard" in data["action"]
    assert data["onset_sample"] == "S2"
    assert data["onset_path"].startswith("S2/")
    assert 0 < data["confidence"] <= 1
    for part in (data["reason"], data["action"], "sample S2", data["onset_path"], "% sure"):
        assert part in data["summary"]
    for picture in ("strip", "local_map"):
        assert (agent.state_dir / data[picture]).read_bytes().startswith(b"\x89PNG")
    shown = edge_agent("status", "--config", agent.config).stdout
    assert str(agent.state_dir / data["strip"]) in shown.replace("\n", "")
    told = [(event["data"]["episode"], event["data"]["phase"]) for event in alerts(agent)]
    assert len(told) == len({(episode, phase) for episode, phase in told if phase != "updated"}) + sum(p == "updated" for _, p in told)


def test_a_receiver_that_fails_holds_up_nothing_and_hears_all_after_a_restart(
    tmp_path: Path, mapping: Path, receiver: WebhookReceiver
) -> None:
    receiver.always = 503
    with lab(tmp_path, mapping, f'webhook = "{receiver.url}"').start(first=IMPATIENT) as agent:
        until(lambda: len(agent.events("frame.scored")) == 45, f"all frames; the agent said:\n{agent.log}")
        written = alerts(agent)
        assert written, "the event log does not wait for the webhook"
        reason = agent.unready("alerts by webhook", "answered 503")
        assert "s3cret" not in reason
        assert agent.readiness()["ready"], "an alert that waits degrades and does no more"
        assert agent.metric('edge_agent_publish_failures_total{reason="unavailable",sink="webhook"}') > 0
        assert agent.metric('edge_agent_publish_failures_total{reason="unavailable",sink="jsonl"}') == 0
        agent.kill()
        receiver.always = 204
        agent.start(first=IMPATIENT)
        receiver.wait_for(len(written))
        until(lambda: agent.metric('edge_agent_published_total{sink="webhook"}') == len(written), "the acknowledgements")
        assert agent.readiness()["parts"]["alerts by webhook"]["state"] == "ok"
        assert agent.stop() == 0
        assert [event["id"] for _, _, event in receiver.got] == [event["id"] for event in written], "in order"
        assert "s3cret" not in agent.log
        assert "T0KEN" not in agent.log
    assert agent.run_once() == 0
    assert len(receiver.got) == len(written), "what was taken is not told again"
    shown = edge_agent("config", "show", "--config", agent.config).stdout
    assert '"webhook": "**********"' in shown
    assert "s3cret" not in shown


def test_a_command_is_told_every_alert_in_order(tmp_path: Path, mapping: Path) -> None:
    script = tmp_path / "tell.py"
    script.write_text(f"import sys\nopen({str(tmp_path / 'told')!r}, 'ab').write(sys.stdin.buffer.read())\n")
    agent = lab(tmp_path, mapping, f"command = {json.dumps([sys.executable, str(script)])}")
    assert agent.run_once() == 0, agent.log
    told = [json.loads(line) for line in (tmp_path / "told").read_bytes().splitlines()]
    assert [event["id"] for event in told] == [event["id"] for event in alerts(agent)]
    assert told


def test_a_stop_does_not_wait_for_a_command_that_hangs(tmp_path: Path, mapping: Path) -> None:
    script = tmp_path / "hang.py"
    script.write_text(f"import os, pathlib, time\npathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\ntime.sleep(600)\n")
    with lab(tmp_path, mapping, f"timeout = 60\ncommand = {json.dumps([sys.executable, str(script)])}").start() as agent:
        pid = int(
            until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), f"the command; the agent said:\n{agent.log}")
        )
        until(lambda: len(agent.events("frame.scored")) == 45, "all frames, which do not wait for it")
        assert agent.stop(12) == 0
        until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, "the command's end")


def test_once_says_that_alerts_are_untold(tmp_path: Path, mapping: Path) -> None:
    agent = lab(tmp_path, mapping, 'webhook = "http://127.0.0.1:9/none"')
    assert agent.run_once(first=IMPATIENT) == 75
    assert "webhook has not taken every alert" in agent.log
    assert alerts(agent)


def test_pictures_that_never_come_hold_up_nothing(tmp_path: Path, mapping: Path) -> None:
    (tmp_path / "hanging_worker.py").write_text(
        "import time\nfrom edge_agent.evidence.task import Task\nfrom edge_agent.frames.worker import serve\n"
        "serve(Task, lambda task: time.sleep(600), print)\n"
    )
    hanging = f"{IMPATIENT}; from edge_agent.evidence import keeper; keeper.WORKER = 'hanging_worker'"
    agent = lab(tmp_path, mapping)
    assert agent.run_once(first=hanging, environment={"PYTHONPATH": str(tmp_path)}) == 0, agent.log
    data = alerts(agent)[0]["data"]
    assert len(agent.events("frame.scored")) == 45
    assert not (agent.state_dir / data["strip"]).exists()
    assert agent.run_once() == 0
    assert (agent.state_dir / data["strip"]).exists(), "the next start makes what is missing"


def test_doctor_tries_where_alerts_go(tmp_path: Path, mapping: Path, receiver: WebhookReceiver) -> None:
    command = json.dumps([sys.executable, "-c", "import json, sys; assert json.load(sys.stdin)['data']['phase'] == 'test'"])
    agent = AgentProcess(
        tmp_path / "home", tmp_path / "images", model_dirs=mapping, tables=f'[alert]\nwebhook = "{receiver.url}"\ncommand = {command}'
    )
    agent.config.chmod(0o600)  # an address with a token in it
    good = edge_agent("doctor", "--config", agent.config)
    assert good.returncode == 0, good.stdout + good.stderr
    assert "fine  alerts: command and webhook took a test event" in good.stdout
    assert receiver.types() == ["test"]
    receiver.always = 403
    bad = edge_agent("doctor", "--config", agent.config)
    assert bad.returncode == 1
    assert "MEND  alerts: the webhook at http://127.0.0.1" in bad.stdout
    assert "answered 403" in bad.stdout
    assert "s3cret" not in bad.stdout + bad.stderr


@pytest.mark.parametrize(
    ("alert", "said"),
    [
        ('webhook = "ftp://example.org/s3cret"', "neither with https:// nor with http://"),
        ('webhook = "https://example.org/s3cret"\nwebhook_file = "address.txt"', "keep one of the two"),
        ('webhook_file = "no-such-file.txt"', "webhook_file"),
        ('command = "rm -rf /"', "command"),
        ("command = []", "command"),
        ('command = ["no-such-program-7"]', "there is no such program"),
        ("timeout = 0", "timeout"),
        ("evidence_episodes = -1", "evidence_episodes"),
        ("webhok = 1", "did you mean 'webhook'"),
    ],
)
def test_a_wrong_alert_section_is_one_clear_line_and_78(tmp_path: Path, mapping: Path, alert: str, said: str) -> None:
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=mapping, tables=f"[alert]\n{alert}")
    answer = edge_agent("config", "validate", "--config", agent.config)
    assert answer.returncode == 78, answer.stdout + answer.stderr
    assert said in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
    assert "s3cret" not in answer.stdout + answer.stderr
