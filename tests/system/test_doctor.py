"""doctor beside a real agent, broker and Triton: green while all is well, and never in the agent's way."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from tests.an_agent import RUN, AgentProcess, frame, until, write_frame
from tests.calibrated_model import write_calibrated_model
from tests.peers.kafka import KafkaBroker, free_port, why_absent
from tests.peers.triton import triton_serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GUARDED = """
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
"""


def doctor(agent: AgentProcess, *flags: str) -> tuple[int, dict[str, str]]:
    """Exit code, and what was said of each part; what is to be mended begins with MEND."""
    command = [sys.executable, "-c", RUN, "doctor", "--json", "--config", str(agent.config), *flags]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert answer.stdout, answer.stderr
    told: dict[str, Any] = json.loads(answer.stdout)
    parts: dict[str, str] = {}
    for finding in told["findings"]:
        word = "MEND " if finding["state"] == "mend" else ""
        parts[finding["part"]] = "; ".join(filter(None, (parts.get(finding["part"]), word + finding["said"])))
    assert told["good"] == (not any("MEND " in said for said in parts.values())) == (answer.returncode == 0)
    return answer.returncode, parts


def table(broker: KafkaBroker) -> str:
    return f'[kafka]\nbootstrap_servers = "{broker.address}"\n'


def test_beside_an_agent_that_runs_all_is_fine_and_its_lock_and_address_are_its_own(tmp_path: Path, models: Path) -> None:
    (tmp_path / "token").write_text("hush")
    (tmp_path / "token").chmod(0o600)
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models)
    port = free_port()
    guarded = f'listen = "127.0.0.1:{port}"\ntoken_file = "{(tmp_path / "token").as_posix()}"'
    agent.config.write_text(agent.config.read_text().replace('listen = "127.0.0.1:0"', guarded))
    with agent.start():
        until(lambda: "running" in agent.log, "the agent to run")
        code, said = doctor(agent, "--probe")
        assert code == 0, said
        assert f"process {agent.pid}, runs here since" in said["agent"]
        assert f"http://127.0.0.1:{port}/metrics answers a scrape with" in said["http"]
        write_frame(agent.watched / "one.tif", frame(1))
        until(lambda: agent.events("frame.scored"), "the agent to go on")
        (tmp_path / "token").write_text("another")
        code, said = doctor(agent)
        assert (code, "answers 401: the token has changed since the agent started" in said["http"]) == (1, True)
        assert agent.stop() == 0
    assert "none runs here" in doctor(agent)[1]["agent"]
    assert not (agent.state_dir / "running.json").exists()


def test_an_agent_that_was_killed_is_not_taken_for_one_that_runs(tmp_path: Path, models: Path) -> None:
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models)
    with agent.start():
        agent.ready()
        agent.kill()
    (agent.state_dir / "lock").write_text("1")  # as after a restart of the machine: by now another program's number
    assert "none runs here" in doctor(agent)[1]["agent"]


def test_what_the_agent_itself_finds_wrong_is_told(tmp_path: Path, models: Path) -> None:
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models)
    with agent.start():
        agent.ready()
        agent.watched.rename(tmp_path / "away")
        agent.unready("watch sem")
        code, said = doctor(agent)
        assert code == 1
        assert said["agent: watch sem"].startswith("MEND unready: waiting for folder")


def test_the_broker_commits_a_transaction_beside_an_agent_that_publishes_and_keeps_no_trace(
    tmp_path: Path, models: Path, kafka: KafkaBroker
) -> None:
    agent = AgentProcess(
        tmp_path / "home",
        tmp_path / "images",
        model_dirs=models,
        tables=table(kafka),
        name="doctored",
    )
    with agent.start():
        until(lambda: agent.readiness().get("status") == "ok", "the agent to reach the broker", 90)
        for number in range(2):
            code, said = doctor(agent)
            assert code == 0, said
            assert "committed a transaction and gave it back, and deleted topic edge.doctor again" in said["events"]
            assert "the broker's agree" in said["clock"]
            write_frame(agent.watched / f"{number}.tif", frame(number))
            until(lambda done=number + 1: agent.metric('edge_agent_frames_total{outcome="scored",stream="sem"}') == done, "the frame")
        until(lambda: agent.metric("edge_agent_outbox_events") == 0, "all to be published")
        assert agent.metric('edge_agent_publish_failures_total{reason="unavailable",sink="kafka"}') == 0, "a fenced producer fails"


@pytest.fixture
def guarded(tmp_path: Path, missing: Callable[[str, str], None]) -> KafkaBroker:
    if reason := why_absent():
        missing("kafka", reason)
    return KafkaBroker(tmp_path / "broker", GUARDED)


def test_what_the_brokers_access_rules_deny_is_named(tmp_path: Path, models: Path, guarded: KafkaBroker) -> None:
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models, tables=table(guarded))
    with guarded:
        admin = KafkaAdminClient(bootstrap_servers=guarded.address)
        admin.create_topics({"edge.alerts": {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)

        def only_describe(name: str) -> None:
            topic = ResourcePattern(ResourceType.TOPIC, name)  # who has a rule for a topic may do nothing on it but what the rule says
            admin.create_acls([ACL("User:*", "*", ACLOperation.DESCRIBE, ACLPermissionType.ALLOW, topic)])

        only_describe("edge.alerts")
        code, said = doctor(agent)
        assert code == 1
        assert "MEND the broker's access rules do not let this agent write edge.alerts; allow it" in said["events"]
        only_describe("edge.doctor")
        assert "its access rules refuse the trial" in doctor(agent)[1]["events"]
        topic = ResourcePattern(ResourceType.TOPIC, "edge.frames")
        admin.create_acls([ACL("User:*", "*", ACLOperation.WRITE, ACLPermissionType.DENY, topic)])
        assert "MEND the broker's access rules do not let this agent see edge.frames; allow it" in doctor(agent)[1]["events"]
        admin.close()
        guarded.freeze()
        code, said = doctor(agent)
        assert (code, said["events"].startswith("MEND ")) == (1, True)


def test_triton_is_asked_for_the_known_answer(tmp_path: Path) -> None:
    folder = write_calibrated_model(tmp_path / "models")
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=folder)
    with triton_serving(folder / "tiny", tmp_path) as server:
        agent.config.write_text(agent.config.read_text() + f'model.backend = "triton"\nmodel.url = "{server.url}"\n')
        code, said = doctor(agent)
        assert code == 0, said
        assert f"(Triton at {server.url}" in said["stream sem: model"]
        assert "gives the known answer" in said["stream sem: model"]
    code, said = doctor(agent)
    assert (code, said["stream sem: model"].startswith("MEND ")) == (1, True)
    assert server.url in said["stream sem: model"]
    shutil.rmtree(folder / "tiny")
    assert "model tiny: not found" in doctor(agent)[1]["stream sem: model's files"]
