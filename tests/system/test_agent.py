"""The whole agent on a folder, embedded, with events as JSON Lines: what an operator would try in the first hour."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from edge_agent.inference import sha256_of
from tests.an_agent import RUN, AgentProcess, frame, until, write_frame
from tests.calibrated_model import write_calibrated_model
from tests.served_model import edit_manifest

if TYPE_CHECKING:
    from pathlib import Path


def edge_agent(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", RUN, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_backlog_is_worked_off_once(tmp_path: Path, models: Path) -> None:
    watched = tmp_path / "images"
    for number in range(12):
        write_frame(watched / f"S{number // 6}" / f"{number:03d}.tif", frame(number))
    agent = AgentProcess(tmp_path / "home", watched, model_dirs=models)

    assert agent.run_once() == 0, agent.log
    scored = agent.events("frame.scored")
    assert [event["data"]["path"] for event in scored] == [f"S{number // 6}/{number:03d}.tif" for number in range(12)]
    assert {event["data"]["sample"] for event in scored} == {"S0", "S1"}
    assert all(event["specversion"] == "1.0" and event["data"]["members_answering"] == 2 for event in scored)
    assert all(0 <= event["data"]["entropy"] <= np.log(3) for event in scored)
    uncertainties = ("entropy", "mutual_information", "distance", "p_value", "drift_statistic", "drift_threshold")
    assert all(isinstance(event["data"][name], float) for event in scored for name in uncertainties), "the model is calibrated"
    assert {event["data"]["distance_kind"] for event in scored} == {"mahalanobis"}

    assert "done and told" in agent.log
    assert "scored=12" in agent.log
    assert agent.run_once() == 0, agent.log
    assert len(agent.events("frame.scored")) == 12, "what was told is not told again"
    assert "nothing new was there" in agent.log


def test_what_appears_is_scored_and_shown(tmp_path: Path, models: Path) -> None:
    with AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models).start() as agent:
        agent.ready()
        write_frame(agent.watched / "A17" / "grüne_probe.tif", frame(1))
        until(lambda: agent.events("frame.scored"), f"the frame's event; the agent said:\n{agent.log}")
        assert agent.metric('edge_agent_frames_total{outcome="scored",stream="sem"}') == 1
        status = json.loads(edge_agent("status", "--json", "--config", agent.config).stdout)
        assert status["streams"][0]["outcomes"] == {"scored": 1}
        assert status["last_frames"][0]["path"] == "A17/grüne_probe.tif"
        assert "grüne_probe" in edge_agent("status", "--config", agent.config).stdout
        began = time.monotonic()
        assert agent.stop() == 0
        assert time.monotonic() - began < 10
    assert [event["type"] for event in agent.events("agent.")] == ["edge.agent.started.v1", "edge.agent.stopped.v1"]


def test_every_bad_file_is_named_and_the_next_good_frame_is_scored(tmp_path: Path, models: Path) -> None:
    watched = tmp_path / "images" / "S0"
    good = write_frame(watched / "good.tif", frame(1)).read_bytes()
    (watched / "empty.tif").write_bytes(b"")
    (watched / "truncated.tif").write_bytes(good[: len(good) // 2])
    (watched / "text.tif").write_bytes(b"not an image at all, but long enough to be one\n" * 30)
    Image.fromarray(np.full((96, 96), 7, np.uint8)).save(watched / "constant.png")
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(watched / "pixel.png")
    Image.fromarray(np.full((96, 96), np.nan, np.float32)).save(watched / "nan.tif")
    write_frame(watched / ("long" * 50 + ".tif"), frame(2))
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models, stream="settle_timeout_s = 1")

    assert agent.run_once() == 0, agent.log
    assert {event["data"]["path"].removeprefix("S0/"): event["data"]["reason"] for event in agent.events("quarantined")} == {
        "empty.tif": "empty",
        "truncated.tif": "incomplete",
        "text.tif": "wrong_type",
        "constant.png": "constant",
        "pixel.png": "too_small",
        "nan.tif": "not_finite",
    }
    assert {event["data"]["path"].removeprefix("S0/")[:8] for event in agent.events("scored")} == {"good.tif", "longlong"}


def test_a_grown_stack_tells_only_its_new_frames(tmp_path: Path, models: Path) -> None:
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models)
    stack = agent.watched / "stack.tif"

    def write(pages: int) -> None:
        first, *rest = [Image.fromarray(frame(page)) for page in range(pages)]
        first.save(stack, save_all=True, append_images=rest)

    write(3)
    assert agent.run_once() == 0, agent.log
    write(5)
    assert agent.run_once() == 0, agent.log
    scored = [(event["data"]["generation"], event["data"]["frame_index"]) for event in agent.events("scored")]
    assert scored == [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4)]
    os.utime(stack)
    assert agent.run_once() == 0, agent.log
    assert len(agent.events("scored")) == 5, "a touched file has nothing new"


def test_start_now_leaves_what_was_there_alone_but_reads_what_came_while_it_was_down(tmp_path: Path, models: Path) -> None:
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models)
    agent.config.write_text(agent.config.read_text().replace('start = "beginning"', 'start = "now"'))
    write_frame(agent.watched / "old.tif", frame(1))
    with agent.start():
        agent.ready()
        agent.stop()
        write_frame(agent.watched / "missed.tif", frame(2))
        agent.start()
        until(lambda: agent.events("scored"), "the frame that came while the agent was down")
        agent.stop()
    assert [event["data"]["path"] for event in agent.events("scored")] == ["missed.tif"]


def test_a_second_agent_on_the_same_state_is_refused(tmp_path: Path, models: Path) -> None:
    with AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models).start() as agent:
        agent.ready()
        second = edge_agent("run", "--config", agent.config)
    assert second.returncode == 75
    assert "state" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_dry_run_says_what_would_happen_and_writes_nothing(tmp_path: Path, models: Path) -> None:
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models)
    write_frame(agent.watched / "S0" / "one.tif", frame(1))
    said = edge_agent("run", "--dry-run", "--config", agent.config)
    assert said.returncode == 0, said.stderr
    assert "1 would be read: S0/one.tif" in said.stdout
    assert not agent.state_dir.exists()
    agent.run_once()
    assert "0 would be read" in edge_agent("run", "--dry-run", "--config", agent.config).stdout


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("settle = 0.1", "setle = 0.1"), "did you mean 'settle'"),
        (('model.name = "tiny"', 'model.name = "tinny"'), "did you mean tiny"),
        (('model.name = "tiny"', 'model.name = "tiny"\nmodel.version = "7"'), "version 1"),
        (("images", "no-such-folder"), "no-such-folder"),
        (('listen = "127.0.0.1:0"', 'listen = "0.0.0.0:0"'), "token"),
    ],
)
def test_a_wrong_configuration_is_one_clear_line_and_78(tmp_path: Path, models: Path, change: tuple[str, str], said: str) -> None:
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models)
    agent.config.write_text(agent.config.read_text().replace(*change))
    for verb in ("run", "config validate"):
        answer = edge_agent(*verb.split(), "--config", agent.config)
        assert answer.returncode == 78, answer.stderr
        assert said in answer.stderr
        assert len(answer.stderr.strip().splitlines()) == 1


def test_a_model_whose_bytes_changed_is_refused(tmp_path: Path) -> None:
    models = write_calibrated_model(tmp_path / "models")
    graph = models / "tiny" / "1" / "model.onnx"
    graph.write_bytes(graph.read_bytes() + b"\0")
    answer = edge_agent("run", "--config", AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models).config)
    assert answer.returncode == 78
    assert "SHA-256" in answer.stderr


def test_doctor_names_all_that_is_wrong(tmp_path: Path, models: Path) -> None:
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models)
    good = edge_agent("doctor", "--config", agent.config)
    assert good.returncode == 0, good.stdout + good.stderr
    agent.watched.rmdir()
    agent.config.write_text(agent.config.read_text() + '[kafka]\nbootstrap_servers = "127.0.0.1:1"\n')
    bad = edge_agent("doctor", "--config", agent.config)
    assert bad.returncode == 1
    assert [line.split(":")[0] for line in bad.stdout.splitlines() if line.startswith("MEND")] == ["MEND  stream sem", "MEND  events"]


def test_once_says_at_once_that_its_folder_is_gone(tmp_path: Path, models: Path) -> None:
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models)
    assert agent.run_once() == 0, agent.log
    agent.watched.rmdir()
    assert agent.run_once() == 78
    last = agent.log.splitlines()[-1]
    assert "there is no such folder; create it, connect its drive, or correct the path" in last
    assert "waiting for it" not in agent.log


def test_what_was_known_of_drift_is_told_again_after_a_restart(tmp_path: Path, models: Path) -> None:
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models)
    for number in range(3):
        write_frame(agent.watched / f"S0/{number}.tif", frame(number))
    assert agent.run_once() == 0, agent.log
    last = agent.events("frame.scored")[-1]["data"]
    with agent.start():
        agent.ready()
        states = ["uncalibrated", "in_control", "alarm", "acknowledged"]
        assert agent.metric('edge_agent_drift_state{stream="sem"}') == states.index(last["drift_state"])
        if last["drift_statistic"] is not None:
            assert agent.metric('edge_agent_drift_statistic{stream="sem"}') == last["drift_statistic"]
            assert agent.metric('edge_agent_drift_threshold{stream="sem"}') == last["drift_threshold"]


def test_init_writes_a_configuration_that_doctor_likes(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    path = tmp_path / "edge-agent.toml"
    assert edge_agent("init", tmp_path / "images", "--output", path).returncode == 0
    assert edge_agent("init", tmp_path / "images", "--output", path).returncode == 78, "an existing file is not overwritten"
    assert edge_agent("config", "validate", "--config", path).returncode == 0


def test_inspect_shows_a_map(tmp_path: Path) -> None:
    path = write_frame(tmp_path / "one.tif", frame(1, (512, 768)))
    said = edge_agent("inspect", path, "--map", tmp_path / "map.png")
    assert said.returncode == 0, said.stderr
    assert "entropy by field" in said.stdout
    with Image.open(tmp_path / "map.png") as picture:
        assert picture.size == (768, 512)
    missing = edge_agent("inspect", tmp_path / "none.tif")
    assert missing.returncode == 1
    assert "none.tif" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_an_alert_whose_judge_was_replaced_is_closed(tmp_path: Path) -> None:
    models = write_calibrated_model(tmp_path / "models")
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models)
    for number in range(60):
        write_frame(agent.watched / f"S{number // 15}" / f"{number:03d}.tif", frame(number, noise=6.0 if number < 30 else 30.0))
    assert agent.run_once() == 0, agent.log
    assert [event["data"]["phase"] for event in agent.events("alert")][-1] != "closed"

    calibration = models / "tiny" / "calibration.json"
    calibration.write_text(calibration.read_text().replace("quiet test frames", "other quiet test frames"))
    edit_manifest(models / "tiny", calibration={"file": "calibration.json", "sha256": sha256_of(calibration)})
    assert agent.run_once() == 0, agent.log
    *_, before, last = agent.events("alert")
    assert (last["type"], last["data"]["episode"]) == ("edge.alert.closed.v1", before["data"]["episode"])
    assert last["data"]["revision"] == before["data"]["revision"] + 1
    assert json.loads(edge_agent("status", "--json", "--config", agent.config).stdout)["open_alerts"] == []


def test_once_does_not_wait_for_ever_for_a_model_that_is_away(tmp_path: Path, models: Path) -> None:
    stream = 'model.backend = "triton"\nmodel.url = "127.0.0.1:9"'
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models, stream=stream)
    write_frame(agent.watched / "one.tif", frame(1))
    impatient = "from edge_agent.agent import agent; agent.ONCE_PATIENCE_S = 2.0; " + RUN
    command = [sys.executable, "-c", impatient, "run", "--once", "--config", str(agent.config)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 75, ended.stderr
    assert "nothing is lost" in ended.stderr
    assert "Traceback" not in ended.stderr
