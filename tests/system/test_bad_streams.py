"""Whole agents on streams that are not as they should be: each says what it makes of them."""

from __future__ import annotations

import json
import os
import sqlite3
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from edge_agent.cli import app
from edge_agent.drift.judge_state import STATE_VERSION
from tests.an_agent import AgentProcess, frame, until, write_frame
from tests.calibrated_model import write_calibrated_model

if TYPE_CHECKING:
    from pathlib import Path

Y1971, Y2100 = 31_536_000, 4_102_444_800
"""The first second of either year."""


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_calibrated_model(tmp_path_factory.mktemp("models"))


def sample(agent: AgentProcess, name: str, frames: int, *, seed: int, noise: float = 6.0, taken_s: int | None = None) -> None:
    for number in range(frames):
        path = write_frame(agent.watched / name / f"f{number:02d}.tif", frame(seed + number, noise=noise))
        if taken_s is not None:
            os.utime(path, (taken_s + number, taken_s + number))


def verb(agent: AgentProcess, *arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments, "--config", str(agent.config)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def tamper(agent: AgentProcess, **change: object) -> None:
    """Make the journalled judge's state one of another release or calibration."""
    with sqlite3.connect(agent.state_dir / "journal.sqlite3") as connection:
        (text,) = connection.execute("SELECT drift_state FROM stream WHERE name = 'sem'").fetchone()
        connection.execute("UPDATE stream SET drift_state = ? WHERE name = 'sem'", (json.dumps(json.loads(text) | change),))
    connection.close()


@pytest.mark.parametrize("change", [{"version": STATE_VERSION - 1}, {"calibration": "another"}, {"sample": "?"}])
def test_times_of_any_year_are_told_as_they_are_and_an_episode_of_another_state_is_closed_once(
    tmp_path: Path, calibrated: Path, change: dict[str, object]
) -> None:
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=calibrated)
    for number in range(3):
        sample(agent, f"S{number}", 10, seed=100 * number, taken_s=Y2100 + 100 * number)
    assert agent.run_once() == 0, agent.log
    assert agent.events("alert") == []
    for number in range(2):
        sample(agent, f"T{number}", 10, seed=1000 + 100 * number, noise=48.0, taken_s=Y1971 - 100 * number)
    assert agent.run_once() == 0, agent.log
    opened = agent.events("alert.opened")
    assert len(opened) == 1, "the noise must be an episode, or nothing would be proved"
    times = {event["data"]["path"]: event["data"]["frame_time"] for event in agent.events("scored")}
    assert {time[:4] for time in times.values()} == {"1970", "1971", "2100"}
    assert opened[0]["data"]["onset_time"] == times[opened[0]["data"]["onset_path"]]
    assert opened[0]["data"]["onset_path"].startswith("T")

    tamper(agent, **change)
    assert agent.run_once() == 0, agent.log
    assert agent.run_once() == 0, agent.log
    (closed,) = agent.events("alert.closed")
    assert closed["data"]["episode"] == opened[0]["data"]["episode"]
    assert closed["data"]["reason"].startswith("Closed because the model, its calibration or the stream's configuration was replaced")
    assert "No open alerts" in verb(agent, "status")
    assert "drift detection starts afresh" in agent.log


def test_a_stream_that_is_not_judged_does_not_stay_silent(tmp_path: Path, calibrated: Path) -> None:
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=calibrated, stream='lot = "folder"')
    for lot in ("nylon", "perlon"):
        sample(agent, lot, 12, seed=7)
    with agent.start():
        agent.ready()
        until(lambda: len(agent.events("scored")) == 24, f"the frames; the agent said:\n{agent.log}")
        assert "lot perlon was never calibrated; `edge-agent calibrate`" in agent.unready("drift of sem")
        assert agent.readiness()["ready"], "frames are scored: it is degraded and no more"
        assert agent.metric('edge_agent_not_judged_total{reason="lot",stream="sem"}') == 24
        assert agent.stop() == 0
    assert {event["data"]["not_judged"] for event in agent.events("scored")} == {
        f"lot {lot} was never calibrated" for lot in ("nylon", "perlon")
    }
    said = verb(agent, "status")
    assert "not judged sem: 12 of the newest 24 frames: lot nylon was never calibrated" in said
    (stream,) = json.loads(verb(agent, "status", "--json"))["streams"]
    assert stream["not_judged"] == {"lot nylon was never calibrated": 12, "lot perlon was never calibrated": 12}


def test_a_stream_without_sample_names_is_warned_of_and_judged(tmp_path: Path, calibrated: Path) -> None:
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=calibrated, stream='sample = "none"')
    said = verb(agent, "config", "validate")
    assert "WARNING: it names no samples" in said
    assert "weaker than with names" in said
    sample(agent, "S", 30, seed=3)
    assert agent.run_once() == 0, agent.log
    assert "names no samples" in agent.log
    assert {(event["data"]["sample"], event["data"]["drift_state"]) for event in agent.events("scored")} == {(None, "in_control")}
    sample(agent, "T", 20, seed=900, noise=48.0)
    assert agent.run_once() == 0, agent.log
    assert len(agent.events("alert.opened")) == 1
    assert '"sample": null' in json.dumps(agent.events("scored")[0]["data"])
