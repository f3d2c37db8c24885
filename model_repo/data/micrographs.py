"""Source images as arrays, read strictly: what cannot be used is an error that names the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError

from edge_agent.core.errors import EdgeAgentError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from model_repo.data.split import SplitEntry

FULL_SCALE = 255.0


@dataclass(frozen=True, slots=True)
class Micrograph:
    """One source image: 8-bit grey pixels, shape (height, width), and where it stands in the split."""

    entry: SplitEntry
    pixels: NDArray[np.uint8]


def read_grey(path: Path, name: str) -> NDArray[np.uint8]:
    """Read an 8-bit grey image, or a colour image that codes grey; raise EdgeAgentError."""
    remedy = "restore the file or take it out of the split"
    try:
        with Image.open(path) as image:
            image.load()
            mode = image.mode
            pixels = np.asarray(image.convert("RGB") if mode in {"P", "RGBA"} else image)
    except FileNotFoundError as error:
        raise EdgeAgentError(name, f"is not in {path.parent}", "point --data at the folder that holds the lots") from error
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise EdgeAgentError(name, f"cannot be read as an image ({error})", remedy) from error
    if pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8:
        spread = int(pixels.max(axis=2).astype(int).__sub__(pixels.min(axis=2)).max())
        if spread > 2:
            raise EdgeAgentError(name, f"is a colour image (channels differ by up to {spread})", remedy)
        pixels = pixels[:, :, 0]
    if pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise EdgeAgentError(name, f"is not 8-bit grey (mode {mode})", remedy)
    return np.ascontiguousarray(pixels)


def read_micrographs(folder: Path, entries: Iterable[SplitEntry]) -> list[Micrograph]:
    """Read the images of a split under `folder`, in order; raise EdgeAgentError for the first that cannot be used."""
    return [Micrograph(entry, read_grey(folder / entry.path, entry.path)) for entry in entries]
