"""The agent asked to stop in full work, killed in the midst of a file, and robbed of its decoder."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import psutil

from tests.an_agent import AgentProcess, frame, until, write_frame
from tests.faults.seen import IMPATIENT, decoder_held, decoder_of, next_good_frame_is_scored, paths, pending, quarantined

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FRAMES = 80


def large_backlog(agent: AgentProcess) -> Counter[str]:
    """Frames of a size that keeps an agent busy for seconds."""
    names = [f"{number:03d}.tif" for number in range(FRAMES)]
    for number, name in enumerate(names):
        write_frame(agent.watched / name, frame(number % 5, (1024, 1024)))
    return Counter(names)


def test_an_agent_asked_to_stop_in_full_work_ends_soon_and_the_next_run_loses_nothing(tmp_path: Path, models: Path) -> None:
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models)
    names = large_backlog(agent)
    with agent.start():
        until(lambda: paths(agent), f"the work to begin; the agent said:\n{agent.log}")
        began = time.monotonic()
        assert agent.stop() == 0
        assert time.monotonic() - began < 10
        assert len(paths(agent)) < FRAMES, "it was stopped in the midst of its work"
    assert [event["data"]["reason"] for event in agent.events("agent.stopped")] == ["SIGTERM"]
    assert agent.run_once() == 0, agent.log
    assert Counter(paths(agent)) == names


def test_an_agent_that_waits_for_everything_stops_soon_all_the_same(tmp_path: Path, models: Path) -> None:
    nobody = "127.0.0.1:1"
    agent = AgentProcess(
        tmp_path / "home",
        tmp_path / "images",
        model_dirs=models,
        tables=f'[kafka]\nbootstrap_servers = "{nobody}"\n',
        stream=f'model.backend = "triton"\nmodel.url = "{nobody}"',
    )
    with agent:
        write_frame(agent.watched / "one.tif", frame(1))
        agent.start()
        until(lambda: pending(agent) == 1, f"the frame to be admitted; the agent said:\n{agent.log}")
        began = time.monotonic()
        assert agent.stop() == 0, agent.log
        assert time.monotonic() - began < 10
        assert "Traceback" not in agent.log


@contextlib.contextmanager
def decoders_killed(agent: AgentProcess, larger_than_bytes: float = 0) -> Iterator[None]:
    """Each decoder is killed as soon as it is larger than that, as a memory shortage would."""
    enough = threading.Event()

    def kill() -> None:
        while not enough.wait(0.002):
            for child in psutil.Process(agent.pid).children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    if child.memory_info().rss > larger_than_bytes:
                        child.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        enough.set()
        killer.join()


def test_a_decoder_that_is_killed_costs_nothing_and_a_file_that_costs_every_decoder_is_named(tmp_path: Path, models: Path) -> None:
    with AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models).start(first=IMPATIENT) as agent:
        agent.ready()
        with decoder_held(agent) as decoder:
            write_frame(agent.watched / "tried_again.tif", frame(1))
            until(lambda: pending(agent) == 1, "the frame to be admitted")
            decoder.kill()
        until(lambda: "tried_again.tif" in paths(agent), f"the frame to be tried again; the agent said:\n{agent.log}")
        usual_bytes = decoder_of(agent).memory_info().rss
        with decoders_killed(agent, larger_than_bytes=usual_bytes + 30e6):
            write_frame(agent.watched / "costly.tif", np.zeros((9500, 9500), np.uint8))
            until(lambda: quarantined(agent), "the quarantine")
        assert quarantined(agent) == {"costly.tif": "decoder_failed"}
        next_good_frame_is_scored(agent)


def test_frames_wait_while_no_decoder_can_start(tmp_path: Path, models: Path) -> None:
    with AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models).start(first=IMPATIENT) as agent:
        agent.ready()
        with decoders_killed(agent):
            write_frame(agent.watched / "patient.tif", frame(1))
            agent.unready("frames of sem", saying="decoder process")
        until(lambda: paths(agent) == ["patient.tif"], "the frame that waited")
        agent.ready()
        assert quarantined(agent) == {}


def test_no_decoder_outlives_an_agent_that_is_killed(tmp_path: Path, models: Path) -> None:
    with AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models).start() as agent:
        agent.ready()
        with decoder_held(agent) as idle:
            agent.kill()
        assert psutil.wait_procs([idle], timeout=5)[1] == []
        agent.start().ready()
        large_backlog(agent)
        busy = decoder_of(agent)
        agent.kill()
        assert psutil.wait_procs([busy], timeout=5)[1] == []
        assert agent.run_once() == 0, agent.log
        assert set(Counter(paths(agent)).values()) == {1}
        assert len(paths(agent)) == FRAMES + 1
