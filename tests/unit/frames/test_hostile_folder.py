"""A real agent on a folder into which hundreds of hostile files arrive: it lives, stays small, and tells of every one of them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from edge_agent.core.errors import QUARANTINE_REASONS
from tests.an_agent import AgentProcess, frame, until, write_frame
from tests.hostile.corpus import sample
from tests.hostile.places import put_names, put_things
from tests.hostile.seed import CannotBeMadeError
from tests.hostile.seeds import seeds
from tests.hostile_files import micrograph, tiff

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = 150
DRAW = int(os.environ.get("HOSTILE_DRAW", "0"))
GROWTH_BYTES = 150 << 20
"""How far above what it had after its first frame the agent's resident memory may ever be."""
STREAM = 'include = ["**/*"]\nsettle_timeout_s = 1.5'


@pytest.fixture
def agent(tmp_path: Path, models: Path) -> Iterator[AgentProcess]:
    with AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models, stream=STREAM) as agent:
        agent.start().ready()
        write_frame(agent.watched / "first.tif", frame(1))
        until(lambda: agent.events("scored"), f"the first frame; the agent said:\n{agent.log}")
        yield agent


def told(agent: AgentProcess) -> set[str]:
    return {event["data"]["path"] for event in agent.events("frame.")}


def shown(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()


def peak_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:  # noqa: PTH123 - no Path needed
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def put(agent: AgentProcess) -> list[str]:
    """Each hostile file in a folder of its own, with its side-cars; their paths."""
    paths = []
    for number, one in enumerate(sample([seed for seed in seeds() if len(seed.content) < 1 << 18], DRAW, FILES)):
        if one.kind == "bomb":
            continue  # they cost seconds each; the corpus has them
        try:
            content = one.make()
        except CannotBeMadeError:
            continue
        folder = agent.watched / f"{number:04}"
        folder.mkdir()
        for name, text in {**one.beside, one.name: content}.items():
            (folder / name).write_bytes(text)
            paths.append(f"{number:04}/{name}")
    return paths


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_agent_outlives_a_folder_of_hostile_files(agent: AgentProcess) -> None:
    before_bytes = psutil.Process(agent.pid).memory_info().rss
    paths = put(agent)
    assert len(paths) > FILES * 0.8
    until(
        lambda: set(paths) <= told(agent),
        f"every file; the agent said:\n{agent.log[-4000:]}",
        60,
    )
    for event in agent.events("quarantined"):
        data = event["data"]
        assert data["reason"] in QUARANTINE_REASONS
        assert data["remedy"]
        assert f"{data['path']}: {data['detail']}".isprintable(), data
    write_frame(agent.watched / "last.tif", frame(2))
    until(lambda: "last.tif" in told(agent), "the next good frame")
    assert agent.readiness()["ready"]
    assert peak_bytes(agent.pid) - before_bytes < GROWTH_BYTES


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems take other names")
def test_an_agent_outlives_names_and_things_that_are_no_files(agent: AgentProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(agent.watched)  # a socket's path must be short
    things = put_things(agent.watched)
    assert {"fifo.tif", "folder.tif", "self.tif", "socket.tif"} <= set(things)
    names = put_names(agent.watched, tiff(micrograph()))
    assert len(names) > 20
    special = {name for name in things if (agent.watched / name).exists() and not (agent.watched / name).is_dir()}
    assert {"fifo.tif", "socket.tif", "linked_zero.tif", "linked_fifo.tif"} <= special
    until(
        lambda: special | {shown(path) for path in names} <= told(agent),
        f"every name; the agent said:\n{agent.log[-4000:]}",
    )
    write_frame(agent.watched / "last.tif", frame(2))
    until(lambda: "last.tif" in told(agent), "the next good frame")
    assert {path for path in told(agent) if path.partition("/")[0] in things} == special, "neither folders nor what they link to"
    assert {event["data"]["path"] for event in agent.events("quarantined")} == special
    assert {event["data"]["reason"] for event in agent.events("quarantined")} == {"unsupported"}
    assert agent.readiness()["ready"]
    assert agent.stop() == 0
    assert agent.run_once() == 0
    assert len(agent.events("scored")) == len(names) + 2, "nothing is told twice after a restart"
    assert len(agent.events("quarantined")) == len(special)
