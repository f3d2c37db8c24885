"""A detector's stack goes through a real agent while it grows: each image once, in order, whoever is killed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from edge_agent.frames import content_hash
from tests.an_agent import AgentProcess, until
from tests.growing_stack import SIZE, StackWriter, image

if TYPE_CHECKING:
    from pathlib import Path

STREAM = "settle_timeout_s = 3.0"


def agent_on(tmp_path: Path, models: Path) -> AgentProcess:
    return AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models, stream=STREAM)


def journalled(agent: AgentProcess) -> list[tuple[str, int, int, str]]:
    """Path, generation, index and content hash of every frame, in the order in which they were committed."""
    path = agent.state_dir / "journal.sqlite3"
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as journal:
        if not journal.execute("SELECT 1 FROM sqlite_schema WHERE name = 'frame'").fetchone():
            return []
        return journal.execute("SELECT path, generation, frame_index, content_hash FROM frame ORDER BY rowid").fetchall()


def the_images(count: int, seed: int = 0, generation: int = 0, name: str = "scan.nxs") -> list[tuple[str, int, int, str]]:
    return [(name, generation, place, content_hash(image(seed + place))) for place in range(count)]


def until_journalled(agent: AgentProcess, count: int) -> None:
    def reached() -> bool:
        return len(journalled(agent)) >= count

    until(reached, f"{count} frames in the journal", 60)


def told(agent: AgentProcess) -> list[tuple[Any, ...]]:
    events = [event["data"] for event in agent.events("frame.scored")]
    return [(event["path"], event["generation"], event["frame_index"], event["content_hash"]) for event in events]


def test_each_image_is_scored_while_its_writer_goes_on(tmp_path: Path, models: Path) -> None:
    with agent_on(tmp_path, models).start() as agent, StackWriter(tmp_path / "images" / "scan.nxs") as writer:
        agent.ready()
        for _ in range(4):
            writer.add()
            until_journalled(agent, writer.written)
            assert journalled(agent) == the_images(writer.written)
        writer.close()
        until(lambda: agent.metric('edge_agent_frames_total{outcome="repeat",stream="sem"}') > 0, "the closed file to be looked at")
        assert told(agent) == the_images(4)
        assert agent.events("quarantined") == []


def test_an_agent_killed_while_the_stack_grows_goes_on_where_it_was(tmp_path: Path, models: Path) -> None:
    agent = agent_on(tmp_path, models)
    with StackWriter(tmp_path / "images" / "scan.nxs") as writer:
        for _ in range(2):
            with agent.start():
                writer.add(25)
                until_journalled(agent, writer.written - 12)
                agent.kill()
            writer.add(5)
        with agent.start():
            until_journalled(agent, 60)
            writer.add(10)
            writer.close()
            until_journalled(agent, 70)
            assert agent.stop() == 0
    assert journalled(agent) == the_images(70)
    assert told(agent) == the_images(70)


def test_a_writer_killed_leaves_what_it_wrote_and_that_is_said(tmp_path: Path, models: Path) -> None:
    path = tmp_path / "images" / "scan.nxs"
    with agent_on(tmp_path, models).start() as agent:
        agent.ready()
        with StackWriter(path) as writer:
            writer.add(3)
            writer.kill()
        until_journalled(agent, 3)
        until(lambda: "added nothing for a while" in agent.log, "a word about the file that was left open")
        path.unlink()
        with StackWriter(path, seed=50) as writer:  # the detector starts again, under the same name
            writer.add(2)
            writer.close()
        until_journalled(agent, 5)
        assert journalled(agent) == [*the_images(3), *the_images(2, 50, generation=1)]
        assert agent.events("quarantined") == []


def test_a_stack_of_hundreds_survives_kills_in_its_middle_and_a_bad_image(tmp_path: Path, models: Path) -> None:
    count, bad = 300, 137
    agent = agent_on(tmp_path, models)
    with h5py.File(tmp_path / "images" / "whole.nxs", "w") as file:
        data = file.create_dataset("entry/data", (count, *SIZE), "u2", chunks=(1, *SIZE))
        for place in range(count):
            data[place] = np.full(SIZE, 7) if place == bad else image(place)
    for reached in (10, 150):
        with agent.start():
            until_journalled(agent, reached)
            agent.kill()
        assert reached <= len(journalled(agent)) < count - 1
    assert agent.run_once() == 0, agent.log
    expected = [one for one in the_images(count, name="whole.nxs") if one[2] != bad]
    assert journalled(agent) == expected
    assert told(agent) == expected
    (quarantined,) = agent.events("quarantined")
    assert (quarantined["data"]["frame_index"], quarantined["data"]["reason"]) == (bad, "constant")
