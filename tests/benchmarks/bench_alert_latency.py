"""From the instrument's disk to a Kafka consumer: `python -m tests.benchmarks alert_latency`; FRAMES=200 makes it shorter.

A real agent watches a folder into which frames are renamed at a steady pace, and whose brightness changes every so often, so that
episodes open and close. kcat, which is not ours, reads the topics read-committed, and each line's arrival is the moment its event
was readable. Inference, as the frame's own event tells it, is subtracted: a model's pace is not the pipeline's. The last row is the
same disk's own pace at the same time: a bare append of 4 KiB with fsync, of which the way contains one.

Targets: settled -> readable p99 <= 50 ms; created -> settled p99 <= the configured wait + 100 ms.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import numpy as np

from tests.an_agent import AgentProcess, frame, until, write_frame
from tests.calibrated_model import write_calibrated_model
from tests.peers.kafka import KafkaBroker, why_absent

FRAMES = int(os.environ.get("FRAMES", "600"))
WARM_UP = 20
"""First frames, not counted: the decoder process starts, the topics get their leaders."""
PACE_S = 0.1
SPELL = 12
"""Frames until the brightness changes."""
SETTLE_S = 0.2


class Disk:
    """Appends and flushes at the frames' pace for as long as they flow."""

    def __init__(self, folder: Path) -> None:
        self.seconds: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(folder / "fsync",))

    def _run(self, path: Path) -> None:
        with path.open("ab", buffering=0) as file:
            while not self._stop.wait(PACE_S):
                began = time.perf_counter()
                file.write(b"x" * 4096)
                os.fsync(file.fileno())
                self.seconds.append(time.perf_counter() - began)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


class Consumer:
    """kcat on one topic, with the time at which each record came out of it."""

    def __init__(self, broker: KafkaBroker, topic: str) -> None:
        self.records: list[tuple[float, dict[str, Any]]] = []
        options = [
            "-X",
            "isolation.level=read_committed",
            "-X",
            "fetch.error.backoff.ms=1",
            "-X",
            "topic.metadata.refresh.interval.ms=1000",
        ]
        command = ["kcat", "-C", "-q", "-u", "-b", broker.address, "-t", topic, "-o", "beginning", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.records.append((time.time(), json.loads(line)))

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


def main() -> None:
    if reason := why_absent():
        sys.exit(reason)
    with tempfile.TemporaryDirectory() as scratch, KafkaBroker(Path(scratch) / "kafka") as broker:
        home = Path(scratch)
        kafka = f'[kafka]\nbootstrap_servers = ["{broker.address}"]\n'
        agent = AgentProcess(home / "agent", home / "images", model_dirs=write_calibrated_model(home / "models"), tables=kafka)
        agent.config.write_text(agent.config.read_text().replace("settle = 0.1", f"settle = {SETTLE_S}"))
        with agent.start():
            until(lambda: "events reach their sink" in agent.log, f"the agent to reach Kafka; it said:\n{agent.log}")
            frames, alerts = Consumer(broker, "edge.frames"), Consumer(broker, "edge.alerts")
            try:
                with Disk(home) as disk:
                    created = write_frames(agent.watched)
                    until(lambda: len(frames.records) >= len(created), f"every frame's event; the agent said:\n{agent.log}")
                table(created, frames.records, alerts.records, disk.seconds)
            finally:
                frames.close()
                alerts.close()
            agent.stop()


def write_frames(folder: Path) -> dict[str, float]:
    """Rename frames into the folder at a steady pace; their paths and the times at which they stood there."""
    created = {}
    due_s = time.monotonic()
    for number in range(FRAMES + WARM_UP):
        strange = number > WARM_UP and number // SPELL % 2 == 1
        name = f"S{number // SPELL:03d}/{number:05d}.tif"
        pixels = frame(10_000 + number, level=60.0 if strange else 120.0)
        due_s += PACE_S
        time.sleep(max(0.0, due_s - time.monotonic()))
        write_frame(folder / name, pixels)
        created[name] = time.time()
    return created


def table(
    created: dict[str, float], frames: list[tuple[float, dict[str, Any]]], alerts: list[tuple[float, dict[str, Any]]], flushes: list[float]
) -> None:
    scored = {event["path"]: event for _, event in frames}
    counted = set(sorted(created)[WARM_UP:])

    def settled(path: str) -> float:
        return datetime.fromisoformat(scored[path]["settled_at"]).timestamp()

    def after_settling(records: list[tuple[float, dict[str, Any]]]) -> list[float]:
        return [
            arrived - settled(event["path"]) - scored[event["path"]]["inference_s"]
            for arrived, event in records
            if event["path"] in counted
        ]

    rows = {
        f"created -> settled, less the wait of {SETTLE_S} s": ([settled(path) - created[path] - SETTLE_S for path in counted], 100),
        "settled -> scored frame readable, less inference": (after_settling(frames), 50),
        "settled -> alert readable, less inference": (after_settling(alerts), 50),
        "a bare append of 4 KiB with fsync": (flushes, ""),
    }
    print(f"{FRAMES} frames, one every {PACE_S * 1000:g} ms; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; milliseconds\n")
    print(f"{'step':52}{'count':>6}{'median':>8}{'p90':>7}{'p99':>7}{'most':>7}{'target':>8}")
    for name, (seconds, target) in rows.items():
        median, p90, p99, most = np.percentile(np.array(seconds) * 1000, [50, 90, 99, 100]) if seconds else [np.nan] * 4
        print(f"{name:52}{len(seconds):>6}{median:>8.1f}{p90:>7.1f}{p99:>7.1f}{most:>7.1f}{target:>8}")


main()
