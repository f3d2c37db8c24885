"""A detector's writer in a process of its own: it adds images to an HDF5 file that others may read meanwhile (SWMR)."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

PATH = "entry/data/data"
SIZE = (64, 80)
WRITER = """
import sys
import h5py
from tests.growing_stack import PATH, SIZE, image

path, seed = sys.argv[1], int(sys.argv[2])
with h5py.File(path, "w", libver="latest") as file:
    group = file.create_group("entry/data")
    group.attrs["NX_class"] = "NXdata"
    group.attrs["signal"] = "data"
    data = file.create_dataset(PATH, (0, *SIZE), "u2", maxshape=(None, *SIZE), chunks=(1, *SIZE))
    file.swmr_mode = True
    print("open", flush=True)
    for line in sys.stdin:
        for _ in range(int(line)):
            data.resize(len(data) + 1, 0)
            data[-1] = image(seed + len(data) - 1)
            data.flush()
        print(len(data), flush=True)
"""


def image(seed: int) -> np.ndarray:
    """An image that no other seed gives, shape SIZE."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.clip(2000 + 600 * np.sin(x / (5 + seed % 3)) * np.cos(y / 6) + rng.normal(0, 80, SIZE), 1, 4095).astype(np.uint16)


class StackWriter:
    """Writes the images `image(seed)`, `image(seed + 1)`, ... to `path` as it is told to, and closes the file at the end."""

    def __init__(self, path: Path, seed: int = 0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(seed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._answer()
        self.written = 0

    def add(self, count: int = 1) -> None:
        """Add images, and return when they are written."""
        assert self._process.stdin is not None
        print(count, file=self._process.stdin, flush=True)
        self.written = int(self._answer())

    def close(self) -> None:
        """Close the file as a writer should."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(30) == 0

    def kill(self) -> None:
        """Kill -9: the file stays marked as open."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        assert answer, "the writer ended"
        return answer
