"""The local map over a frame: where on it the model has seen nothing like it, beside a frame from before on the same scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from edge_agent.evidence.canvas import BLUE, FAINT, INK, PAPER, VERMILION, common_range, shortened, whole, wrapped, write
from edge_agent.evidence.colours import LEVELS, table
from edge_agent.evidence.colours import colours as coloured
from edge_agent.evidence.strip import as_png
from edge_agent.inference import corners

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.core.frame import Frame
    from edge_agent.core.prediction import Prediction

PANEL = (420, 420)
GAP = 16
TEXT = 14
LINE = 19
SCALE = (22, 300)
TICKS = 5
LEGEND = "Coloured where the network looks; the lighter, the less it has seen anything like it. One scale for all frames here."
CAPTION = (
    "Dark violet: as in the training set. Blue and green: less so. Yellow: nothing like it was seen in training. "
    "Grey: the network does not look there."
)
"""What the colours mean, under the picture."""
SHARE = 0.6
"""Of the colour in the overlay; the rest is the frame."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """A frame with its prediction, whose local maps are there, and what it is called."""

    name: str
    sample: str | None
    frame: Frame
    prediction: Prediction


def draw_local_map(title: Sequence[str], before: Mapped | None, evidence: Mapped, field_px: int) -> bytes | None:
    """The picture as PNG; None when no value of the evidence's map is finite.

    Args:
        title: its heading, line by line.
        before: a frame from before the onset; None when none can be read.
        evidence: the most telling evidence frame.
        field_px: edge of a field on the frame, pixels.
    """
    panels = [(one, label, colour) for one, label, colour in ((before, "BEFORE", BLUE), (evidence, "EVIDENCE", VERMILION)) if one]
    cells = [_placed(one, field_px) for one, _, _ in panels]
    if not np.isfinite(cells[-1]).any():
        return None
    finite = np.concatenate([cell[np.isfinite(cell)] for cell in cells])
    least, most = float(finite.min()), float(finite.max())
    shown = common_range([one.frame for one, _, _ in panels])
    width = GAP + len(panels) * (PANEL[0] + GAP) + 130
    heading = [line for text in (*title, LEGEND) for line in wrapped(text, TEXT, width - 2 * GAP)]
    top = GAP + len(heading) * LINE + GAP
    below = top + LINE + 4 + max(cell.shape[0] for cell in cells) + GAP // 2
    bottom = below + max(*(cell.shape[0] for cell in cells), SCALE[1] + 5 * LINE)
    caption = wrapped(CAPTION, TEXT, width - 2 * GAP)
    canvas = Image.new("RGB", (width, bottom + GAP + len(caption) * LINE + GAP // 2), PAPER)
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(heading):
        write(draw, (GAP, GAP + number * LINE), line, TEXT)
    for number, ((one, label, colour), values) in enumerate(zip(panels, cells, strict=True)):
        left = GAP + number * (PANEL[0] + GAP)
        draw.rectangle((left, top, left + PANEL[0] - 1, top + LINE), fill=colour)
        named = f"{label}: {PurePosixPath(one.name).name}" + ("" if one.sample is None else f", sample {one.sample}")
        write(draw, (left + 5, top + 1), shortened(named, TEXT, PANEL[0] - 10), TEXT, PAPER)
        picture = whole(one.frame, PANEL, shown)
        canvas.paste(picture, (left, top + LINE + 4))
        canvas.paste(_overlaid(picture, values, least, most), (left, top + LINE + 4 + picture.height + GAP // 2))
    _scale(canvas, (width - 130, below), least, most)
    for number, line in enumerate(caption):
        write(draw, (GAP, bottom + GAP // 2 + number * LINE), line, TEXT)
    return as_png(canvas)


def _placed(one: Mapped, field_px: int) -> NDArray[np.float64]:
    """The fields' maps where the fields lie on the frame, as it is shown; NaN where there is no field.

    Fields that overlap are averaged.
    """
    maps = one.prediction.local_maps
    if maps is None:
        raise ValueError("the prediction has no local maps")
    height, width = one.frame.pixels.shape
    scale = min(PANEL[0] / width, PANEL[1] / height)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    side = min(field_px, height, width)
    total, count = np.zeros((rows, columns)), np.zeros((rows, columns))
    for field, (y, x) in zip(maps, corners(height, width, side, one.prediction.grid), strict=True):
        down = slice(round(y * scale), max(round(y * scale) + 1, round((y + side) * scale)))
        across = slice(round(x * scale), max(round(x * scale) + 1, round((x + side) * scale)))
        part = total[down, across]
        enlarged = Image.fromarray(field.astype(np.float32)).resize(part.shape[::-1], Image.Resampling.NEAREST)
        part += np.asarray(enlarged, dtype=np.float64)
        count[down, across] += 1
    values: NDArray[np.float64] = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return values


def _overlaid(picture: Image.Image, values: NDArray[np.float64], least: float, most: float) -> Image.Image:
    grey = np.repeat(np.asarray(picture, np.float64)[..., None], 3, axis=2)
    mixed = SHARE * coloured(values, least, most) + (1 - SHARE) * grey
    known = np.isfinite(values)[..., None]
    return Image.fromarray(np.rint(np.where(known, mixed, grey)).astype(np.uint8))


def _scale(canvas: Image.Image, place: tuple[int, int], least: float, most: float) -> None:
    """The scale of values; its colours are mixed with the same share of middle grey as the overlay with the frame."""
    draw = ImageDraw.Draw(canvas)
    left, top = place
    for number, line in enumerate(wrapped("unlike the training set (inverse local rigidity)", TEXT - 2, 118)):
        write(draw, (left, top + number * (LINE - 3)), line, TEXT - 2, FAINT)
        bar_top = top + (number + 1) * (LINE - 3) + 10
    levels = np.rint(SHARE * table()[::-1].astype(np.float64) + (1 - SHARE) * 128).astype(np.uint8)
    bar = Image.fromarray(levels.reshape(LEVELS, 1, 3)).resize(SCALE, Image.Resampling.NEAREST)
    canvas.paste(bar, (left, bar_top))
    draw.rectangle((left, bar_top, left + SCALE[0] - 1, bar_top + SCALE[1] - 1), outline=INK)
    for tick in range(TICKS):
        value = most - (most - least) * tick / (TICKS - 1)
        y = bar_top + round((SCALE[1] - 1) * tick / (TICKS - 1))
        draw.line((left + SCALE[0], y, left + SCALE[0] + 5, y), fill=INK)
        write(draw, (left + SCALE[0] + 9, y - 9), number_of(value, most - least), TEXT)
        if most <= least:
            break


def number_of(value: float, span: float) -> str:
    """A tick's number, with the digits that tell it from the next tick's.

    >>> number_of(0.123456, 0.4), number_of(123456.0, 1e5)
    ('0.12', '1.2e+05')
    """
    if value and not 1e-3 <= abs(value) < 1e4:
        return f"{value:.1e}"
    digits = max(0, 2 - math.floor(math.log10(span))) if 0 < span < 1e3 else 0
    return f"{value:.{min(5, max(0, digits - 1))}f}"
