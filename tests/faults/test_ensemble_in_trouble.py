"""An ensemble that is not whole: the agent goes on, says who is left out wherever one looks, and says when all are back."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.an_agent import AgentProcess, frame, until, write_frame
from tests.calibrated_model import write_calibrated_model
from tests.peers.triton import TritonServer, triton_serving
from tests.served_model import exchange_members, write_tiny_model
from tests.system.test_agent import edge_agent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMPATIENT = """
from edge_agent.agent import chores
chores.CANARY_EVERY_S = 0.5
"""


@pytest.fixture
def own_models(tmp_path: Path) -> Path:
    """A calibrated `tiny` that the test may spoil."""
    return write_calibrated_model(tmp_path / "models")


def write(agent: AgentProcess, numbers: range) -> list[dict[str, Any]]:
    """Write the frames and wait for their events' data."""
    for number in numbers:
        write_frame(agent.watched / f"{number:03d}.tif", frame(number))
    until(lambda: len(agent.events("frame.scored")) >= numbers.stop, f"the frames; the agent said:\n{agent.log}")
    return [event["data"] for event in agent.events("frame.scored")][numbers.start :]


def members(agent: AgentProcess) -> dict[str, float]:
    states = ("answering", "missing", "stale")
    return {state: agent.metric(f'edge_agent_ensemble_members{{state="{state}",stream="sem"}}') for state in states}


def alerts(agent: AgentProcess) -> list[tuple[str, str]]:
    return [(event["data"]["phase"], event["data"]["kind"]) for event in agent.events("alert.")]


@pytest.fixture
def server(tmp_path: Path, own_models: Path) -> Iterator[TritonServer]:
    with triton_serving(own_models / "tiny", tmp_path, explicit=True) as running:
        yield running


def test_a_member_that_triton_serves_in_another_version_is_left_out_until_it_is_back(
    tmp_path: Path, own_models: Path, server: TritonServer
) -> None:
    """Triton gets a graph one of whose members has other weights, under a configuration that still states the old graph's digest."""
    stream = f'model.backend = "triton"\nmodel.url = "{server.url}"'
    laid_out = server.repository / "tiny" / "1"
    with AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=own_models, stream=stream).start(first=IMPATIENT) as agent:
        agent.ready()
        whole = write(agent, range(5))
        assert {(one["members_answering"], *one["members_stale"]) for one in whole} == {(2,)}
        assert all(one["p_value"] is not None for one in whole)

        shutil.copytree(own_models / "tiny", tmp_path / "other")
        exchange_members(tmp_path / "other", 1)
        right = (laid_out / "model.onnx").read_bytes()
        (laid_out / "model.onnx").write_bytes((tmp_path / "other" / "1" / "model.onnx").read_bytes())
        code = (laid_out / "model.py").read_text()
        (laid_out / "model.py").write_text(code.replace("if found != expected:", "if False:"))
        server.reload("tiny")
        reason = agent.unready("model tiny", saying="member 2 (seed 12) is stale")
        assert agent.readiness()["ready"] is True
        assert "model-repo layout" in reason

        lacking = write(agent, range(5, 10))
        assert {(one["members_answering"], one["members_expected"], *one["members_stale"]) for one in lacking} == {
            (1, 2, "member 2 (seed 12)")
        }
        assert {(one["p_value"], one["mutual_information"]) for one in lacking} == {(None, None)}
        assert members(agent) == {"answering": 1, "missing": 0, "stale": 1}
        assert alerts(agent) == [("opened", "degraded")]
        assert "not comparable with the calibration" in agent.unready("ensemble of sem")
        assert agent.metric('edge_agent_alert_open{kind="degraded",stream="sem"}') == 1
        assert "member 2 (seed 12) stale" in edge_agent("status", "--config", agent.config).stdout
        doctor = edge_agent("doctor", "--config", agent.config)
        assert doctor.returncode == 1
        assert "its ensemble is degraded; member 2 (seed 12) is stale" in doctor.stdout

        (laid_out / "model.onnx").write_bytes(right)
        server.reload("tiny")
        until(lambda: "known answer again" in agent.log, f"the canary; the agent said:\n{agent.log}")
        write(agent, range(10, 17))
        assert members(agent) == {"answering": 2, "missing": 0, "stale": 0}
        assert alerts(agent) == [("opened", "degraded"), ("closed", "degraded")]
        assert all(part["state"] == "ok" for part in agent.readiness()["parts"].values())
        assert agent.stop() == 0
    assert agent.log.count("the ensemble is degraded") == 1


def test_a_member_without_finite_answers_is_missing_from_the_start_and_over_a_restart(tmp_path: Path) -> None:
    """Without a calibration: the ensemble is watched all the same."""
    folder = write_tiny_model(tmp_path / "models" / "tiny", members=3)
    exchange_members(folder, 0, weight=float("nan"))
    with AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=tmp_path / "models").start() as agent:
        agent.ready()
        assert "member 1 (seed 11) gives no finite answer to the canary" in agent.unready("model tiny")
        (one, *_) = write(agent, range(4))
        assert (one["members_answering"], one["members_missing"], one["members_stale"]) == (2, ["member 1 (seed 11)"], [])
        assert {one[name] for name in ("p_value", "drift_statistic", "drift_threshold")} == {None}
        assert isinstance(one["mutual_information"], float)
        assert members(agent) == {"answering": 2, "missing": 1, "stale": 0}
        assert alerts(agent) == [("opened", "degraded")]
        assert agent.stop() == 0
        agent.start()
        agent.ready()
        assert "2 of 3 members answer: member 1 (seed 11) missing" in agent.unready("ensemble of sem")
        write(agent, range(4, 6))
        assert alerts(agent) == [("opened", "degraded")]
        assert agent.stop() == 0
    told = [event["data"] for event in agent.events("alert.")]
    assert json.loads(edge_agent("status", "--json", "--config", agent.config).stdout)["open_alerts"][0]["episode"] == told[0]["episode"]


def test_a_model_none_of_whose_members_is_itself_ends_the_agent(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "models" / "tiny", members=2)
    exchange_members(folder, 0, 1)
    with AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=tmp_path / "models").start() as agent:
        assert agent.wait() == 78
        assert "canary differs from the known answer" in agent.log
