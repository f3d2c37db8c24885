"""Stacks under kill -9 of agent and writers: python -m tests.faults.growing_stacks FOLDER [--seed 1] [--kills 10].

Detectors write one growing file after another, some killed and some closed; beside them lie a finished stack and single frames. The agent
is killed again and again. In the end every image is in the journal and among the events once, in order. Takes about 15 s a kill.
"""

from __future__ import annotations

import argparse
import random
import threading
import time
from pathlib import Path

import h5py

from edge_agent.frames import content_hash
from tests.an_agent import AgentProcess, frame, write_frame
from tests.calibrated_model import write_calibrated_model
from tests.growing_stack import SIZE, StackWriter, image
from tests.system.test_growing_stacks import STREAM, journalled, told

WHOLE, WHOLE_IMAGES, WHOLE_SEED = "whole.nxs", 500, 5000


class Detectors(threading.Thread):
    """Writes until it is stopped; `written` maps each file to its images and its seed."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        super().__init__()
        self.written: dict[str, tuple[int, int]] = {WHOLE: (WHOLE_IMAGES, WHOLE_SEED)}
        self.ended = threading.Event()
        self._folder, self._rng = folder, rng

    def run(self) -> None:
        while not self.ended.is_set():
            number = len(self.written)
            self._write(f"growing-{number}.nxs", 10_000 * number)
            write_frame(self._folder / f"single-{number}.tif", frame(number))

    def _write(self, name: str, seed: int) -> None:
        with StackWriter(self._folder / name, seed) as writer:
            for _ in range(self._rng.randint(5, 40)):
                writer.add(self._rng.randint(1, 4))
                self.written[name] = (writer.written, seed)
                if self.ended.wait(self._rng.random() * 0.3):
                    break
            writer.kill() if self._rng.random() < 0.5 else writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=10)
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    images = asked.folder / "images"
    agent = AgentProcess(asked.folder / "home", images, model_dirs=write_calibrated_model(asked.folder / "models"), stream=STREAM)
    with h5py.File(images / f"{WHOLE}.part", "w") as file:
        data = file.create_dataset("entry/data", (WHOLE_IMAGES, *SIZE), "u2", chunks=(1, *SIZE))
        for place in range(WHOLE_IMAGES):
            data[place] = image(WHOLE_SEED + place)
    (images / f"{WHOLE}.part").rename(images / WHOLE)
    detectors = Detectors(images, rng)
    detectors.start()
    try:
        for _ in range(asked.kills):
            with agent.start():
                time.sleep(6 + 8 * rng.random())
                agent.kill()
    finally:
        detectors.ended.set()
        detectors.join()
    assert agent.run_once(600) == 0, agent.log
    kept = journalled(agent)
    assert told(agent) == kept, "the events are not those of the journal"
    assert agent.events("quarantined") == []
    for name, (count, seed) in detectors.written.items():
        found = [(index, content) for path, _, index, content in kept if path == name]
        assert found == [(place, content_hash(image(seed + place))) for place in range(count)], (
            f"{name}: {count} images, {len(found)} frames"
        )
    print(f"{asked.kills} kills, {len(detectors.written)} stacks, {len(kept)} frames: each once, in order")


if __name__ == "__main__":
    main()
