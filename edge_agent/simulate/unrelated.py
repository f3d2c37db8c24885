"""Pictures that are no micrographs at all: what ends up in a folder by mistake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.simulate.column import Filament, blur
from edge_agent.simulate.source_real import View

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from edge_agent.simulate.source import Recorded


@dataclass(frozen=True, slots=True)
class UnrelatedPictures:
    """A folder of them, `side` pixels square, which a filament changes as it changes micrographs."""

    side: int
    recorded: Recorded

    def show(self, frames: int, filament: float, current: float, rng: np.random.Generator) -> Iterator[View]:  # noqa: ARG002 - no beam made these
        """Draw `frames` pictures."""
        changed = Filament(filament)
        for _ in range(frames):
            yield View(np.asarray(changed.apply(unrelated_picture(rng, self.side, self.side), rng), np.uint8), 0, 0)


def unrelated_picture(rng: np.random.Generator, height: int = 384, width: int = 384) -> NDArray[np.uint8]:
    """Draw one of several sorts of picture, uint8 (height, width); neighbours in a stream have nothing in common."""
    makers = (_gradient, _static, _landscape, _page, _blocks)
    picture = makers[int(rng.integers(len(makers)))](rng, height, width)
    return np.asarray(np.rint(np.clip(picture, 0.0, 1.0) * 255.0), np.uint8)


def _gradient(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """A smooth ramp, as an empty scanner bed gives."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    ramp = np.cos(angle) * x / width + np.sin(angle) * y / height
    low, high = np.sort(rng.uniform(0, 1, 2))
    return np.asarray(low + (high - low) * (ramp - ramp.min()) / np.ptp(ramp), np.float32)


def _static(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Noise without a picture."""
    return rng.normal(rng.uniform(0.3, 0.7), rng.uniform(0.1, 0.3), (height, width)).astype(np.float32)


def _landscape(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Bright sky, a ridge, and textured ground: the statistics of a photograph."""
    ridge = np.cumsum(rng.normal(0, 1.5, width)) + height * rng.uniform(0.3, 0.6)
    y = np.arange(height, dtype=np.float32)[:, None]
    sky = 0.95 - 0.3 * y / height
    ground = 0.3 + 0.25 * blur(rng.normal(0, 1, (height, width)).astype(np.float32), rng.uniform(1.5, 4.0)) * 4.0
    return np.where(y < ridge[None, :], sky, ground).astype(np.float32)


def _page(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Lines of dark marks on white: a scanned page."""
    page = np.full((height, width), rng.uniform(0.9, 1.0), np.float32)
    pitch = int(rng.integers(12, 24))
    for top in range(pitch, height - pitch, pitch):
        left = 12
        while left < width - 24:
            wide = int(rng.integers(2, 9))
            page[top : top + pitch // 2, left : left + wide : 2] = rng.uniform(0.0, 0.2)
            left += wide + int(rng.integers(2, 7))
    return page


def _blocks(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Flat coloured blocks: a screenshot."""
    screen = np.full((height, width), rng.uniform(0.2, 0.9), np.float32)
    for _ in range(int(rng.integers(4, 12))):
        top, left = int(rng.integers(height)), int(rng.integers(width))
        screen[top : top + int(rng.integers(20, 200)), left : left + int(rng.integers(20, 200))] = rng.uniform(0, 1)
    return screen
