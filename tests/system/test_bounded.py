"""An agent that has seen thousands of frames is as large as one that has seen a few hundred: what each frame took it has given back."""

from __future__ import annotations

import os
import shutil
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
import pytest

from edge_agent.journal import JournalView
from tests.an_agent import AgentProcess, until
from tests.benchmarks.bench_soak import as_tiff
from tests.benchmarks.footprint import inotify_watches
from tests.faults.seen import quarantined

if TYPE_CHECKING:
    from pathlib import Path

KINDS = 40
A_FOLDER = 100
COUNTS_OBJECTS = """
import gc, os, signal, weakref
def count(*_):
    gc.collect()
    with open("{path}.part", "w") as file:
        file.write(str(sum(type(one) is not weakref.ReferenceType for one in gc.get_objects())))
    os.replace("{path}.part", "{path}")
signal.signal(signal.SIGUSR1, count)
"""
"""Objects that were made since the agent began to run: what it imported before is frozen, and not among them; references that
idle threads have yet to drop come and go."""


@dataclass(frozen=True)
class Holds:
    """What the agent holds; the least of some looks, for a moment's work is not meant."""

    objects: int
    descriptors: int
    threads: int
    children: int
    watches: int
    journal_mb: float


def looked_at(agent: AgentProcess) -> Holds:
    looks = []
    for _ in range(5):
        counted = agent.home / "objects"
        counted.unlink(missing_ok=True)
        os.kill(agent.pid, signal.SIGUSR1)
        until(counted.exists, "the number of objects")
        process = psutil.Process(agent.pid)
        looks.append(
            (
                int(counted.read_text()),
                process.num_fds(),
                process.num_threads(),
                len(process.children()),
                inotify_watches(agent.pid),
                sum(path.stat().st_size for path in agent.state_dir.glob("journal.sqlite3*")) / 1e6,
            )
        )
        time.sleep(0.5)
    return Holds(*(min(values) for values in zip(*looks, strict=True)))


def feed(agent: AgentProcess, files: list[bytes], numbers: range) -> None:
    """Write frames, wait until they are scored, and delete them."""
    for number in numbers:
        folder = agent.watched / f"S{number // A_FOLDER:03}"
        folder.mkdir(exist_ok=True)
        partial = folder / f"{number:05}.part"
        partial.write_bytes(files[number % len(files)])
        partial.rename(folder / f"{number:05}.tif")
    scored = 'edge_agent_frames_total{outcome="scored",stream="sem"}'
    deadline = time.monotonic() + 100
    while agent.metric(scored) < numbers.stop:  # not as often as `until` looks: that would take the agent's own time
        assert time.monotonic() < deadline, f"{numbers.stop} frames; the agent said:\n{agent.log[-3000:]}"
        time.sleep(0.25)
    for folder in agent.watched.glob("S*"):
        shutil.rmtree(folder)


def known(agent: AgentProcess) -> int:
    (stream,) = JournalView(agent.state_dir).status().streams
    return stream.known_files


@pytest.mark.timeout(300)
@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="posix: objects are counted by a signal")
def test_a_thousand_more_frames_leave_nothing_behind(tmp_path: Path, models: Path) -> None:
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models)
    agent.config.write_text(agent.config.read_text().replace("threads = 1", 'threads = 1\nretention = "3s"'))
    (agent.watched / "other").mkdir()  # an empty folder might be a mount point without its drive, which forgets nothing
    files = [as_tiff(seed, 6.0) for seed in range(KINDS)]
    with agent.start(first=COUNTS_OBJECTS.format(path=agent.home / "objects")):
        agent.ready()
        feed(agent, files, range(500))
        until(lambda: known(agent) == 0, "deleted files to be forgotten")
        before = looked_at(agent)
        feed(agent, files, range(500, 1500))
        until(lambda: known(agent) == 0, "deleted files to be forgotten")
        after = looked_at(agent)
        assert agent.stop() == 0
    told = f"{before}\n{after}"
    assert after.objects < before.objects + 700, told  # one object a frame would be 1,000
    assert after.descriptors <= before.descriptors + 2, told
    assert after.threads <= before.threads + 2, told
    assert after.children <= before.children, told
    assert after.watches <= before.watches, told
    assert after.journal_mb <= before.journal_mb + 4, told  # the results of 1,000 frames take 8 MB


def test_a_flood_of_bad_files_is_told_each_by_an_event_and_together_in_a_few_lines(tmp_path: Path, models: Path) -> None:
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models)
    count = 500
    for number in range(count):
        (agent.watched / f"{number:05}.tif").write_bytes(b"no picture at all")
    with agent.start():
        agent.ready()
        until(lambda: len(quarantined(agent)) == count, f"every bad file to be told; the agent said:\n{agent.log[-3000:]}", 100)
        (agent.watched / "good.tif").write_bytes(as_tiff(0, 6.0))
        until(lambda: agent.events("frame.scored"), "the good one after them")
        assert agent.stop() == 0
    lines = [line for line in agent.log.splitlines() if "quarantined" in line]
    assert 0 < len(lines) <= 60, "20 a minute"
    assert any("counted, not written" in line for line in lines)
