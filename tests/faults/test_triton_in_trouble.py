"""A Triton that stops, or lies: frames wait, none is blamed, /readyz says why, and all are scored once when it answers rightly again."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.an_agent import AgentProcess, frame, until, write_frame
from tests.faults.seen import next_good_frame_is_scored, paths, pending, quarantined
from tests.peers.triton import TritonServer, triton_serving
from tests.served_model import write_tiny_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMPATIENT = """
from edge_agent.agent import chores
chores.CANARY_EVERY_S = 1.0
"""


@pytest.fixture
def server(tmp_path: Path, models: Path) -> Iterator[TritonServer]:
    with triton_serving(models / "tiny", tmp_path, explicit=True) as running:
        yield running


def asking(url: str, tmp_path: Path, models: Path) -> AgentProcess:
    stream = f'model.backend = "triton"\nmodel.url = "{url}"\nsettle_timeout_s = 2'
    return AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models, stream=stream)


def write(agent: AgentProcess, numbers: range) -> None:
    for number in numbers:
        write_frame(agent.watched / f"{number:03d}.tif", frame(number))


def each_once(numbers: range) -> Counter[str]:
    return Counter(f"{number:03d}.tif" for number in numbers)


def test_frames_wait_for_a_triton_that_is_stopped_midway(tmp_path: Path, models: Path, server: TritonServer) -> None:
    with asking(server.url, tmp_path, models).start(first=IMPATIENT) as agent:
        agent.ready()
        write(agent, range(20))
        until(lambda: len(paths(agent)) >= 5, "some frames to be scored")
        server.stop()
        write(agent, range(20, 40))
        reason = agent.unready("model tiny")
        assert server.url in reason
        assert agent.readiness()["ready"] is False
        until(lambda: pending(agent) >= 20, "the new frames to be admitted")
        server.start()
        until(lambda: len(paths(agent)) >= 40, f"every frame; the agent said:\n{agent.log}")
        agent.ready()
        assert Counter(paths(agent)) == each_once(range(40))
        assert quarantined(agent) == {}
        assert agent.stop() == 0


def test_a_canary_notices_a_worker_that_was_killed_while_triton_says_ready(tmp_path: Path, models: Path, server: TritonServer) -> None:
    with asking(server.url, tmp_path, models).start(first=IMPATIENT) as agent:
        agent.ready()
        next_good_frame_is_scored(agent, "before.tif")
        assert server.kill_stubs() == 1
        assert "unload and load the model" in agent.unready("model tiny"), "and no frame was needed to find out"
        assert server.says_ready
        write(agent, range(10))
        until(lambda: pending(agent) == 10, "the frames to be admitted")
        assert paths(agent) == ["before.tif"]
        server.reload("tiny")
        until(lambda: len(paths(agent)) == 11, f"every frame; the agent said:\n{agent.log}")
        agent.ready()
        assert quarantined(agent) == {}


def test_a_triton_away_at_the_start_is_waited_for_and_another_graph_there_is_refused(
    tmp_path: Path, models: Path, server: TritonServer
) -> None:
    server.stop()
    with asking(server.url, tmp_path, models) as agent:
        write(agent, range(5))
        agent.start(first=IMPATIENT)
        assert server.url in agent.unready("model tiny")
        server.start()
        until(lambda: len(paths(agent)) == 5, f"the frames that waited; the agent said:\n{agent.log}")
        assert agent.stop() == 0

    other = AgentProcess(
        tmp_path / "other",
        tmp_path / "images",
        model_dirs=write_tiny_model(tmp_path / "others" / "tiny", seed=5).parent,
        stream=f'model.backend = "triton"\nmodel.url = "{server.url}"',
    )
    with other.start():
        assert other.wait() == 78
    said = [line for line in other.log.splitlines() if "serves the graph" in line]
    assert len(said) == 1
    assert other.log.strip().splitlines()[-1] == said[0]
    assert "Traceback" not in other.log
    assert "model-repo layout" in said[0]
