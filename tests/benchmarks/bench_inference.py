"""How much of ONNX Runtime's own pace the predictors keep: `python -m tests.benchmarks.bench_inference [MODEL_FOLDER]`.

All runs answer the same fields with one thread, in turns, and the best of each counts, so that the ratios hold on a busy machine too.
"""

from __future__ import annotations

import asyncio
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.inference import EmbeddedPredictor, TritonPredictor, find_model, load_manifest, open_session, tile
from model_repo.serving.layout import layout
from tests.frames_of import noise_frame
from tests.peers.triton import TritonServer, why_absent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

FRAMES = 4
ROUNDS = 3
BATCHES = (1, 2, 4, 12, 48)
MEMORY = """
import asyncio, pathlib, sys, psutil
from edge_agent.inference import EmbeddedPredictor
from tests.frames_of import noise_frame
def resident(): return round(psutil.Process().memory_info().rss / 1e6)
async def main():
    predictor = EmbeddedPredictor(pathlib.Path(sys.argv[1]), threads=1, idle_s=0.1)
    before = resident()
    await predictor.start()
    await predictor.predict([noise_frame(0, (768, 1024))])
    loaded = resident()
    while predictor.loaded:
        await asyncio.sleep(0.05)
    await predictor.stop()
    print("imports", before, "loaded", loaded, "unloaded", resident())
asyncio.run(main())
"""


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else find_model("sem-real")
    asyncio.run(pace(folder))
    memory = subprocess.check_output([sys.executable, "-c", MEMORY, folder], text=True).strip()
    print("\nresident memory of a fresh process, MB:", memory)


async def pace(folder: Path) -> None:
    manifest = load_manifest(folder)
    frames = [noise_frame(seed, (768, 1024)) for seed in range(FRAMES)]
    fields = np.concatenate([tile(frame.pixels, frame.full_scale, manifest.preprocessing)[0] for frame in frames])
    session = open_session(folder, 1)

    def bare(batch: int) -> Callable[[], Awaitable[Any]]:
        async def run() -> None:
            for k in range(0, len(fields), batch):
                session.run(None, {manifest.input.name: fields[k : k + batch]})

        return run

    embedded = EmbeddedPredictor(folder, threads=1)
    await embedded.start()
    ways: dict[str, Callable[[], Awaitable[Any]]] = {f"bare loop, {batch} fields a run": bare(batch) for batch in BATCHES}
    ways["embedded, a frame a call"] = lambda: each(embedded, frames)
    ways["embedded, all frames in a call"] = lambda: embedded.predict(frames)
    if reason := why_absent():
        print(f"Triton is left out: {reason}")
        rates = await measure(ways, len(fields))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            repository = Path(scratch) / "repository"
            layout(folder, repository, "python", threads=1)
            with TritonServer(repository, Path(scratch)) as server:
                triton = TritonPredictor(folder, server.url)
                await triton.start()
                ways["triton, a frame a call"] = lambda: each(triton, frames)
                ways["triton, all frames in a call"] = lambda: triton.predict(frames)
                rates = await measure(ways, len(fields))
                await triton.stop()
    await embedded.stop()
    table(rates, manifest.name, manifest.members)


async def each(predictor: EmbeddedPredictor | TritonPredictor, frames: list[Any]) -> None:
    for frame in frames:
        await predictor.predict([frame])


async def measure(ways: dict[str, Callable[[], Awaitable[Any]]], fields: int) -> dict[str, float]:
    best: dict[str, float] = {}
    for _ in range(ROUNDS):
        for name, run in ways.items():
            began = time.perf_counter()
            await run()
            best[name] = max(best.get(name, 0.0), fields / (time.perf_counter() - began))
    return best


def table(rates: dict[str, float], model: str, members: int) -> None:
    reference = max(rate for name, rate in rates.items() if name.startswith("bare"))
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    print(f"\n{model}, {members} members, one thread; {machine}, best of {ROUNDS}\n")
    print(f"{'way':36}{'fields/s':>10}{'over the best bare loop':>26}")
    for name, rate in rates.items():
        print(f"{name:36}{rate:>10.1f}{rate / reference:>26.2f}")
    if "triton, all frames in a call" in rates:
        print(f"\nTriton over embedded: {rates['triton, all frames in a call'] / rates['embedded, all frames in a call']:.2f}")


if __name__ == "__main__":
    main()
