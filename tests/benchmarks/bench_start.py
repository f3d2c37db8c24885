"""A start with 200,000 files that are there and known: `python -m tests.benchmarks start`.

FILES=20000 makes it shorter, FILES=1000000 longer; FOLDERS=1 has them all in one folder.

A first run takes stock of the folder (start = "now"); the measured run begins anew on the same journal, with one file that came
in between. Ready is the answer of /readyz; the whole folder has been looked at once that file is told. The model is the one that
ships. Afterwards the agent is left alone for IDLE_S=30 seconds. Targets: ready in <= 5 s with <= 200 MB, children included, and
<= 1 % of a core in a folder of this size too; with a million files in <= 20 s with <= 300 MB.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from tests.an_agent import AgentProcess, frame, until, write_frame
from tests.benchmarks.footprint import peak_mb, processor_s, resident_mb

FILES = int(os.environ.get("FILES", "200000"))
FOLDERS = tuple(map(int, os.environ.get("FOLDERS", "200,1").split(",")))
QUIET_AFTER_S = 5.0
IDLE_S = float(os.environ.get("IDLE_S", "30"))


def main() -> None:
    print(f"{FILES} files; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; memory of the agent with its children, each page once\n")
    print(
        f"{'folders':>7} {'run':>20} {'ready s':>8} {'looked at all s':>16} {'MB ready':>9} {'MB afterwards':>14} "
        f"{'agent at most':>14} {'idle % of a core':>17}"
    )
    for folders in FOLDERS:
        with tempfile.TemporaryDirectory() as scratch:
            home = Path(scratch)
            fill(home / "images", folders)
            with AgentProcess(home / "agent", home / "images", model="sem-real") as agent:
                agent.config.write_text(agent.config.read_text().replace('start = "beginning"', 'start = "now"'))
                measure(agent, f"{folders:>7} {'takes stock':>20}")
                for turn, way in enumerate(("by events", "by events", "by looking")):
                    if way == "by looking":
                        agent.config.write_text(agent.config.read_text() + 'observer = "polling"\n')
                    new = write_frame(home / "images" / "S0" / f"{turn}.tif", frame(turn))
                    measure(agent, f"{folders:>7} {f'knows all, {way}':>20}", new, IDLE_S if turn else 0.0)


def fill(root: Path, folders: int) -> None:
    """Small files of one old time: only their names and states are ever read."""
    for folder in range(folders):
        (root / f"S{folder}").mkdir(parents=True)
        for number in range(FILES // folders):
            (root / f"S{folder}" / f"{number:06}.tif").write_bytes(b"II*\x00")


def measure(agent: AgentProcess, row: str, new: Path | None = None, idle_s: float = 0.0) -> None:
    """Start the agent, wait until it is ready and has told of `new`, leave it alone for `idle_s`, print the row and stop it."""
    known = len(agent.events("frame.scored"))
    (agent.home / "agent.log").unlink(missing_ok=True)
    began = time.perf_counter()
    agent.start()
    assert agent.process is not None
    pid = agent.process.pid
    agent.ready(120)
    ready_s = time.perf_counter() - began
    ready_mb = resident_mb(pid)[1]
    told = idle = ""
    if new is not None:
        until(lambda: len(agent.events("frame.scored")) > known, f"{new.name}; the agent said:\n{agent.log}", 120)
        told = f"{time.perf_counter() - began:.2f}"
    afterwards_mb = resident_mb(pid)[1]
    if idle_s:
        time.sleep(QUIET_AFTER_S)
        before_s, since = processor_s(pid), time.perf_counter()
        time.sleep(idle_s)
        idle = f"{100 * (processor_s(pid) - before_s) / (time.perf_counter() - since):.2f}"
    print(f"{row} {ready_s:>8.2f} {told:>16} {ready_mb:>9.0f} {afterwards_mb:>14.0f} {peak_mb(pid):>14.0f} {idle:>17}", flush=True)
    agent.stop()


main()
