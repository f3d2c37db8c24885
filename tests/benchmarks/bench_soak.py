"""Whether an agent stays as it is: `python -m tests.benchmarks soak` (about an hour; FRAMES=3000 makes it shorter).

A real agent with a tiny ensemble scores 300,000 small frames, which come in folders of 1,000 and are deleted once they are scored. Results
are kept for a minute only, so that removal, forgetting and the journal's vacuum take part; one folder in 25, the third among them, is
noisier, so that alerts and pictures do. Sampled every 1,000 frames; passes when the memory at the end is what it was after the first
10,000 frames, or 5 % more at most, and nothing else that could pile up has grown: see `verdict`. Exit code 1 otherwise.
"""

from __future__ import annotations

import io
import os
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import psutil
from PIL import Image

from tests.an_agent import AgentProcess, frame
from tests.benchmarks.footprint import decoders, inotify_watches
from tests.calibrated_model import write_calibrated_model

FRAMES = int(os.environ.get("FRAMES", "300000"))
WARM_UP = min(10_000, FRAMES // 3)
"""Frames after which memory may not grow any more."""
A_FOLDER = 1000 if FRAMES >= 20_000 else 100
EVERY = A_FOLDER
"""Frames between two samples."""
AHEAD = 3
"""Folders that wait to be scored at most."""
LOOK_S = 0.4
NOISY_EVERY, NOISY_FIRST = 25, 2
KINDS = 97
"""Different frames."""
DECODERS = 2
RETENTION = "60s" if FRAMES >= 20_000 else "5s"
GROWTH = 1.05
LONGEST_S = 300.0
"""Without a frame for so long the agent is stuck."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the agent takes at one moment; memory and files in MB (10^6 bytes)."""

    frames: int
    agent_mb: float
    decoders_mb: float
    descriptors: int
    threads: int
    watches: int
    journal_mb: float
    events_mb: float
    log_mb: float


def main() -> None:
    usual, noisy = ([as_tiff(seed, noise) for seed in range(KINDS)] for noise in (6.0, 18.0))
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        agent = AgentProcess(home / "agent", home / "images", model_dirs=write_calibrated_model(home / "models"))
        settings = f'threads = 1\ndecoders = {DECODERS}\nretention = "{RETENTION}"'
        agent.config.write_text(agent.config.read_text().replace("threads = 1", settings))
        with agent:
            agent.start().ready()
            print(f"{FRAMES} frames; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
            print("".join(f"{field.name:>12}" for field in fields(Sample)) + f"{'frames/s':>10}", flush=True)
            samples = feed(agent, usual, noisy)
            lost = FRAMES - int(agent.metric('edge_agent_frames_total{outcome="scored",stream="sem"}'))
            agent.stop()
    complaints = verdict(samples, lost)
    print("\n" + ("; ".join(complaints) or "passed: nothing grew"))
    sys.exit(bool(complaints))


def as_tiff(seed: int, noise: float) -> bytes:
    held = io.BytesIO()
    Image.fromarray(frame(seed, noise=noise)).save(held, "TIFF")
    return held.getvalue()


def feed(agent: AgentProcess, usual: list[bytes], noisy: list[bytes]) -> list[Sample]:
    """Write folder after folder, delete those that are scored, and look at the agent meanwhile."""
    samples: list[Sample] = []
    written, removed, scored = 0, 0, 0
    began = moved = time.monotonic()
    while scored < FRAMES:
        while written < FRAMES and written - scored < AHEAD * A_FOLDER:
            number = written // A_FOLDER
            write_folder(agent.watched / f"S{number:04}", noisy if number % NOISY_EVERY == NOISY_FIRST else usual, written)
            written += A_FOLDER
        while removed + A_FOLDER <= scored:
            shutil.rmtree(agent.watched / f"S{removed // A_FOLDER:04}")
            removed += A_FOLDER
        now = int(agent.metric('edge_agent_frames_total{outcome="scored",stream="sem"}'))
        if now // EVERY > scored // EVERY:
            samples.append(look(agent, now))
            if len(samples) % 10 == 1 or now == FRAMES:
                row = "".join(f"{value:>12.1f}" if isinstance(value, float) else f"{value:>12}" for value in astuple(samples[-1]))
                print(f"{row}{now / (time.monotonic() - began):>10.0f}", flush=True)
        if now > scored:
            moved = time.monotonic()
        elif time.monotonic() - moved > LONGEST_S:
            raise AssertionError(f"no frame was scored for {LONGEST_S:g} s; the agent said:\n{agent.log[-5000:]}")
        scored = now
        time.sleep(LOOK_S)
    return samples


def write_folder(folder: Path, files: list[bytes], first: int) -> None:
    """As careful instruments do: under another name, then renamed into place."""
    folder.mkdir(parents=True)
    for number in range(first, first + A_FOLDER):
        partial = folder / f"{number:06}.part"
        partial.write_bytes(files[number % KINDS])
        partial.rename(folder / f"{number:06}.tif")


def look(agent: AgentProcess, scored: int) -> Sample:
    process = psutil.Process(agent.pid)
    state = agent.state_dir

    def size_mb(pattern: str) -> float:
        return sum(path.stat().st_size for path in state.glob(pattern)) / 1e6

    return Sample(
        scored,
        process.memory_info().rss / 1e6,
        sum(decoder.memory_info().rss for decoder in decoders(agent.pid)) / 1e6,
        process.num_fds(),
        process.num_threads(),
        inotify_watches(agent.pid),
        size_mb("journal.sqlite3*"),
        size_mb("events/*"),
        (agent.home / "agent.log").stat().st_size / 1e6,
    )


def verdict(samples: list[Sample], lost: int) -> list[str]:
    """What has grown, [] when nothing has: medians of the last samples against those around the end of the warm-up."""
    around = [sample for sample in samples if abs(sample.frames - WARM_UP) <= 2 * EVERY]
    complaints = [f"{lost} frames were not scored"] if lost else []

    def both(name: str) -> tuple[float, float]:
        return tuple(statistics.median(getattr(sample, name) for sample in part) for part in (around, samples[-5:]))

    for name in ("agent_mb", "decoders_mb"):
        before, after = both(name)
        print(f"{name}: {before:.1f} after {WARM_UP} frames, {after:.1f} at the end, {after / before:.3f} times")
        if after > GROWTH * before:
            complaints.append(f"{name} grew from {before:.1f} to {after:.1f}")
    for name in ("descriptors", "threads", "watches"):
        before, after = both(name)
        if after > before + 2:  # a connection, a decoder that has just been started
            complaints.append(f"{name} grew from {before:g} to {after:g}")
    early = max(sample.journal_mb for sample in samples if sample.frames <= 3 * WARM_UP)
    late = statistics.median(sample.journal_mb for sample in samples[-10:])
    if late > 1.1 * early:
        complaints.append(f"the journal grew from {early:.1f} to {late:.1f} MB")
    return complaints


if __name__ == "__main__":
    main()
