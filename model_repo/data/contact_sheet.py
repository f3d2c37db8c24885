"""Virtual micrographs beside real ones, to be judged by eye: `python -m model_repo.data.contact_sheet OUT.png DATA`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from edge_agent.core.errors import EdgeAgentError
from edge_agent.simulate import KNOWN_LOTS, MICROSCOPE_VERSION, UNSEEN_LOTS, VirtualMicroscope
from model_repo.data.micrographs import read_grey

if TYPE_CHECKING:
    from numpy.typing import NDArray

TILE_PX: Final = 256
COLUMNS: Final = 6
CAPTION_PX: Final = 18
GAP_PX: Final = 4
SHRINK: Final = {"powder": 2, "ebc": 1, "superalloy": 1}
"""How much a source is reduced, so that its features are about as large as the virtual ones. Only lots that may be shown."""
REAL: Final = {"powder": 6, "ebc": 3, "superalloy": 3}
VIRTUAL: Final = (*sorted((*KNOWN_LOTS[1::7], *KNOWN_LOTS[4::10])), *UNSEEN_LOTS[:4])
SEED: Final = 0


def write_contact_sheet(out: Path, data: Path) -> None:
    """Write a PNG of 12 real and 12 virtual fields of 256 x 256 pixels, untouched but for the cut and the stated reduction.

    Args:
        out: the picture.
        data: the folder that holds a folder a lot: powder, ebc, superalloy.

    Raises:
        EdgeAgentError: a lot's images are missing or cannot be read.
    """
    tiles = [tile for lot, count in REAL.items() for tile in _real(data / lot, count, SHRINK[lot])]
    microscope = VirtualMicroscope(SEED)
    tiles += [(next(iter(microscope.frames(lot, 0, 1))).pixels, f"virtual, {lot}") for lot in VIRTUAL]
    rows = -(-len(tiles) // COLUMNS)
    width = COLUMNS * (TILE_PX + GAP_PX) + GAP_PX
    sheet = Image.new("L", (width, rows * (TILE_PX + CAPTION_PX + GAP_PX) + CAPTION_PX + GAP_PX), 255)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for number, (pixels, caption) in enumerate(tiles):
        row, column = divmod(number, COLUMNS)
        left, top = GAP_PX + column * (TILE_PX + GAP_PX), GAP_PX + row * (TILE_PX + CAPTION_PX + GAP_PX)
        sheet.paste(Image.fromarray(pixels), (left, top))
        pen.text((left, top + TILE_PX + 1), caption, 0, font)
    pen.text(
        (GAP_PX, sheet.height - CAPTION_PX),
        f"virtual microscope {MICROSCOPE_VERSION}, seed {SEED}, sample 0, frame 0. "
        "Real: nasa/pretrained-microscopy-models (MIT), rccohn/AMPIS (MIT)",
        0,
        font,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out, optimize=True)


def _real(folder: Path, count: int, shrink: int) -> list[tuple[NDArray[np.uint8], str]]:
    paths = sorted(folder.glob("*.png"))
    if len(paths) < count:
        raise EdgeAgentError(str(folder), f"holds {len(paths)} PNG images, {count} are needed", "name the folder of the real micrographs")
    side = TILE_PX * shrink
    tiles = []
    for path in paths[:: len(paths) // count][:count]:
        pixels = read_grey(path, path.name)
        top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
        window = Image.fromarray(pixels[top : top + side, left : left + side])
        tiles.append((np.asarray(window.reduce(shrink)), f"real, {folder.name}" + (f", reduced {shrink}:1" if shrink > 1 else "")))
    return tiles


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m model_repo.data.contact_sheet OUT.png DATA")
    write_contact_sheet(Path(sys.argv[1]), Path(sys.argv[2]))
