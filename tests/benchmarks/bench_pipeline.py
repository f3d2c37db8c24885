"""The whole durable pipeline against a bare read + resize + infer loop on the same backlog; target: at least 0.9 of its frames a second.

Both sides are whole processes on the same files with the same threads: interpreter start, model load and, for the agent, decoding in
a process of its own, hashes, statistics, journal and events included. They take turns, and processor time is told beside wall time,
because other work on the machine blurs only the latter. The tiny model, whose inference costs next to nothing, shows where the
pipeline itself would be the limit.

`python -m tests.benchmarks pipeline`; four minutes; FRAMES=2000 in the environment takes more of them, ROUNDS=3 more turns.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.an_agent import AgentProcess, frame, write_frame
from tests.calibrated_model import write_calibrated_model

if TYPE_CHECKING:
    from collections.abc import Callable

FRAMES = int(os.environ.get("FRAMES", "400"))
ROUNDS = int(os.environ.get("ROUNDS", "2"))
SIZE = (512, 512)
TARGET = 0.9

BARE = """
import sys
from pathlib import Path
import numpy as np
from PIL import Image
from edge_agent.inference import find_model, load_manifest, open_session, tile
folder = find_model(sys.argv[2], [Path(sys.argv[3])])
manifest = load_manifest(folder)
session = open_session(folder)
for path in sorted(Path(sys.argv[1]).rglob("*.tif")):
    fields, _ = tile(np.asarray(Image.open(path)), 255.0, manifest.preprocessing)
    session.run(None, {"fields": fields})
"""


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds, by the clock and by the processors."""

    wall_s: float
    processor_s: float


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        images, models = home / "images", write_calibrated_model(home / "models")
        for number in range(FRAMES):
            write_frame(images / f"S{number // 50:03d}" / f"{number:05d}.tif", frame(number % 97, SIZE))
        print(f"{FRAMES} frames of {SIZE[0]} x {SIZE[1]}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
        print(f"{'model':9}{'side':6}{'wall s':>8}{'frames/s':>10}{'ratio':>7}{'processor ms a frame':>22}{'ratio':>7}")
        for model in ("sem-real", "tiny"):
            ratios = [turn(home / f"{model}-{number}", images, models, model) for number in range(ROUNDS)]
            target = f"; target {TARGET}" if model == "sem-real" else "; the pipeline's own limit"
            print(f"{model}: median ratio of frames/s {statistics.median(ratios):.2f}{target}\n", flush=True)


def turn(home: Path, images: Path, models: Path, model: str) -> float:
    """Each side once; the ratio of their frames a second."""
    bare = timed(lambda: subprocess.run([sys.executable, "-c", BARE, images, model, models], check=True))
    agent = AgentProcess(home, images, model=model, model_dirs=models)
    agent.config.write_text(agent.config.read_text().replace("threads = 1", "threads = 0"))
    whole = timed(lambda: agent.run_once(timeout_s=3600))
    if len(agent.events("scored")) != FRAMES:
        sys.exit(f"not every frame was scored:\n{agent.log}")
    row(model, "bare", bare)
    row(model, "agent", whole, f"{bare.wall_s / whole.wall_s:.2f}", f"{bare.processor_s / whole.processor_s:.2f}")
    return bare.wall_s / whole.wall_s


def timed(run: Callable[[], object]) -> Took:
    began, before = time.perf_counter(), os.times()
    run()
    after = os.times()
    processor_s = after.children_user + after.children_system - before.children_user - before.children_system
    return Took(time.perf_counter() - began, processor_s)


def row(model: str, side: str, took: Took, wall_ratio: str = "", processor_ratio: str = "") -> None:
    pace, cost_ms = FRAMES / took.wall_s, 1000 * took.processor_s / FRAMES
    print(f"{model:9}{side:6}{took.wall_s:>8.1f}{pace:>10.1f}{wall_ratio:>7}{cost_ms:>22.1f}{processor_ratio:>7}", flush=True)


main()
