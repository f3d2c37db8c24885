"""HDF5 files for tests: the images in them, how they are written, and what the agent makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from edge_agent.core.errors import FrameRejectedError
from edge_agent.frames import DecodeLimits, decode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STACK = np.random.default_rng(5).integers(1, 4000, (6, 40, 48)).astype(np.uint16)


def write(path: Path, build: Callable[[Any], object], **how: Any) -> Path:
    with h5py.File(path, "w", **how) as file:
        build(file)
    return path


def frames(path: Path) -> list[Any]:
    return decode(str(path), path.name)


def refusal(path: Path, limits: DecodeLimits | None = None) -> FrameRejectedError:
    with pytest.raises(FrameRejectedError) as refused:
        decode(str(path), path.name, limits)
    return refused.value


def holds(path: Path, stack: np.ndarray) -> bool:
    found = frames(path)
    return len(found) == len(stack) and all(np.array_equal(one.pixels, image) for one, image in zip(found, stack, strict=True))


def nexus(file: Any) -> None:
    file.attrs["default"] = "entry"
    entry = file.create_group("entry")
    entry.attrs["NX_class"] = "NXentry"
    entry.attrs["default"] = "data"
    data = entry.create_group("data")
    data.attrs["NX_class"] = "NXdata"
    data.attrs["signal"] = "frames"
    data["frames"] = STACK
    entry["larger"] = np.zeros((9, 90, 90))
