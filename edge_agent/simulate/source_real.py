"""Real micrographs, and a stage that visits fields of view on them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError

from edge_agent.core.errors import EdgeAgentError
from edge_agent.simulate.column import Filament
from edge_agent.simulate.source import Recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SHIPPED = Path(__file__).with_name("micrographs")
WINDOW_PX = 384
"""Edge of a field of view: several fit on a source of 512 x 512 without showing the same pixels."""
RECORDED = Recorded(pixel_m=5e-8, dwell_s=1e-6, voltage_v=10_000.0)
"""What the tags claim; the sources do not say."""
IMAGES = frozenset({".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp"})


@dataclass(frozen=True, slots=True)
class View:
    """One field of view: pixels, uint8 (height, width), and its corner on the source, pixels."""

    pixels: NDArray[np.uint8]
    top: int
    left: int


@dataclass(frozen=True, slots=True)
class Micrograph:
    """One source image, taken for one sample."""

    path: Path
    recorded: Recorded = RECORDED

    def show(self, frames: int, filament: float, current: float, rng: np.random.Generator) -> Iterator[View]:
        """Visit `frames` fields of view; of a weaker beam the grey level is lowered, the noise it would add is not."""
        changed = Filament(filament)
        for view in visit(read_as_grey(self.path), frames, rng):
            pixels = view.pixels if current == 1.0 else np.asarray(np.rint(view.pixels * current), np.uint8)
            yield View(np.asarray(changed.apply(pixels, rng), np.uint8), view.top, view.left)


@dataclass(frozen=True, slots=True)
class Micrographs:
    """Source images by lot; `known` lots are those a model was trained on, `unseen` ones are not."""

    known: dict[str, tuple[Path, ...]]
    unseen: dict[str, tuple[Path, ...]]
    frame_px: int = WINDOW_PX
    recorded: Recorded = RECORDED

    @classmethod
    def shipped(cls) -> Micrographs:
        """Those in the package: the test side of the split, so that no network has seen them."""
        return cls.of(SHIPPED)

    @classmethod
    def of(cls, folder: Path) -> Micrographs:
        """Read `folder`/known/LOT/*.png and `folder`/unseen/LOT/*.png; raises EdgeAgentError for no known lot, or one that is both."""
        known, unseen = _lots(folder / "known"), _lots(folder / "unseen")
        if not known:
            raise EdgeAgentError(
                str(folder), "holds no images under known/LOT", "put a few images a lot into known/LOT, others into unseen/LOT"
            )
        if both := sorted(known.keys() & unseen.keys()):
            raise EdgeAgentError(str(folder), f"has the lot {both[0]} as known and as unseen", "rename one of the two folders")
        return cls(known, unseen)

    def deck(self, lot: str, rng: np.random.Generator) -> Iterator[Micrograph]:
        """The images of a lot in drawn order, again and again."""
        images = self.known[lot] if lot in self.known else self.unseen[lot]
        while True:
            yield from (Micrograph(images[k]) for k in rng.permutation(len(images))[::-1])


def _lots(folder: Path) -> dict[str, tuple[Path, ...]]:
    if not folder.is_dir():
        return {}
    lots = {
        lot.name: tuple(sorted(path for path in lot.iterdir() if path.suffix.lower() in IMAGES))
        for lot in sorted(folder.iterdir())
        if lot.is_dir()
    }
    return {lot: paths for lot, paths in lots.items() if paths}


def read_as_grey(path: Path) -> NDArray[np.uint8]:
    """Any image, colour too, converted to 8-bit grey, shape (height, width); raises EdgeAgentError."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L"), dtype=np.uint8)
    except (OSError, UnidentifiedImageError, ValueError) as error:
        raise EdgeAgentError(str(path), f"cannot be read as an image ({error})", "take it out of the folder") from error


def visit(image: NDArray[np.uint8], frames: int, rng: np.random.Generator, window_px: int = WINDOW_PX) -> Iterator[View]:
    """Move a stage over `image` in a raster and show `frames` fields of view.

    Positions are spread evenly with a jitter of a quarter of a step; on a small source neighbours overlap, as they do when
    an operator images one spot closely. The image may be mirrored as a whole, which no microscopist would notice.
    """
    if rng.random() < 0.5:
        image = np.ascontiguousarray(image[:, ::-1])
    height, width = image.shape
    side = min(window_px, height, width)
    columns = max(1, round(math.sqrt(frames * (width - side + side / 4) / (height - side + side / 4))))
    rows = math.ceil(frames / columns)
    for number in range(frames):
        row, column = divmod(number, columns)
        top = _place(row, rows, height - side, rng)
        left = _place(column, columns, width - side, rng)
        yield View(np.ascontiguousarray(image[top : top + side, left : left + side]), top, left)


def _place(index: int, count: int, slack: int, rng: np.random.Generator) -> int:
    step = slack / max(1, count - 1)
    middle = slack / 2 if count == 1 else index * step
    return int(np.clip(round(middle + rng.uniform(-0.25, 0.25) * step), 0, slack))
