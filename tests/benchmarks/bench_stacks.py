"""What stacks cost: how long an image of a growing stack waits to be scored, and what memory a long stack takes.

Run: python -m tests.benchmarks.bench_stacks FOLDER [--images 2000] [--side 512] [--seconds 60] [--rate 5]
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Self

import h5py
import numpy as np
import psutil

from tests.an_agent import AgentProcess, until
from tests.calibrated_model import write_calibrated_model
from tests.growing_stack import StackWriter

MB = 1 << 20


def rows(agent: AgentProcess, columns: str) -> list[tuple[int, ...]]:
    path = agent.state_dir / "journal.sqlite3"
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as journal:
        return journal.execute(f"SELECT {columns} FROM frame ORDER BY rowid").fetchall()


class Peak:
    """The most memory that an agent and the processes it started had, each, while this is open."""

    def __init__(self, pid: int) -> None:
        self.own = self.decoders = 0
        self._process = psutil.Process(pid)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            with suppress(psutil.Error):
                self.own = max(self.own, self._process.memory_info().rss)
                for child in self._process.children(recursive=True):
                    with suppress(psutil.Error):
                        self.decoders = max(self.decoders, child.memory_info().rss)


def delays(home: Path, models: Path, seconds: float, rate: float) -> dict[str, float]:
    """Seconds from when an image was written to when its score was committed."""
    written: list[float] = []
    with AgentProcess(home / "agent", home / "images", model_dirs=models).start() as agent:
        agent.ready(120)
        with StackWriter(home / "images" / "scan.nxs") as writer:
            writer.add(1)
            until(lambda: rows(agent, "frame_index"), "the first frame", 120)
            written.append(0.0)
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                time.sleep(1 / rate)
                writer.add(1)
                written.append(time.time())
            until(lambda: len(rows(agent, "frame_index")) == writer.written, "the last frame", 120)
            waited = sorted(at_ns / 1e9 - written[place] for place, at_ns in rows(agent, "frame_index, recorded_at_ns")[1:])
    return {
        "images": len(waited),
        "median_s": round(statistics.median(waited), 3),
        "95th_percentile_s": round(waited[int(0.95 * len(waited))], 3),
        "longest_s": round(waited[-1], 3),
    }


def memory(home: Path, models: Path, images: int, side: int) -> dict[str, float]:
    """Peak memory over a long stack, against that over its first images."""
    found: dict[str, float] = {"images": images, "side_px": side}
    for name, count in (("short", 64), ("whole", images)):
        folder = home / name
        folder.mkdir(parents=True)
        rng = np.random.default_rng(0)
        with h5py.File(folder / "stack.nxs", "w") as file:
            data = file.create_dataset("entry/data", (count, side, side), "u2", chunks=(1, side, side))
            for place in range(count):
                data[place] = rng.integers(0, 4000, (side, side))
        agent = AgentProcess(home / f"{name}-agent", folder, model_dirs=models)
        began = time.monotonic()
        with agent.start():
            agent.ready(120)
            with Peak(agent.pid) as peak:
                until(lambda: len(rows(agent, "frame_index")) == count, f"{count} frames", 3600)  # noqa: B023 - called at once
            found |= {f"{name}_agent_mb": round(peak.own / MB), f"{name}_decoder_mb": round(peak.decoders / MB)}
            found[f"{name}_s"] = round(time.monotonic() - began, 1)
        (folder / "stack.nxs").unlink()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=5)
    asked = parser.parse_args()
    models = write_calibrated_model(asked.folder / "models")
    print(json.dumps({"delays": delays(asked.folder / "delays", models, asked.seconds, asked.rate)}), flush=True)
    print(json.dumps({"memory": memory(asked.folder / "memory", models, asked.images, asked.side)}))


if __name__ == "__main__":
    main()
