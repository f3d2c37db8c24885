"""Strokes that Pillow lacks: hatching, dashes, marks of moments, and text that stays readable on top of lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from PIL import ImageFont

from edge_agent.core.verdict import Phase

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

Colour: TypeAlias = "tuple[int, int, int]"
Box: TypeAlias = "tuple[float, float, float, float]"
"""Left, top, right, bottom; pixels."""

INK, GREY, FAINT = (30, 30, 30), (120, 120, 120), (212, 212, 212)
# of Okabe & Ito's palette, which people with any kind of colour vision tell apart
BLUE, VERMILION, PALE_ORANGE, PALE_BLUE = (0, 114, 178), (213, 94, 0), (253, 232, 196), (150, 196, 226)
HATCH_PX = 7
SMALL = ImageFont.load_default(12)


def hatched(pen: ImageDraw, box: Box, colour: Colour = PALE_BLUE) -> None:
    """Diagonal strokes, the ground left as it is."""
    left, top, right, bottom = (int(edge) for edge in box)
    height = bottom - top
    for start in range(left - height, right, HATCH_PX):
        first, last = max(start, left), min(start + height, right)
        if first < last:
            pen.line((first, bottom - (first - start), last, bottom - (last - start)), fill=colour)


def dashed(pen: ImageDraw, line: Box, colour: Colour, dash: int = 6) -> None:
    """A level or upright line in dashes as long as the gaps."""
    left, top, right, bottom = (int(edge) for edge in line)
    if top == bottom:
        for start in range(left, right, 2 * dash):
            pen.line((start, top, min(start + dash, right), top), fill=colour)
    else:
        for start in range(top, bottom, 2 * dash):
            pen.line((left, start, left, min(start + dash, bottom)), fill=colour)


def moment(pen: ImageDraw, x: float, y: float, phase: Phase) -> None:
    """A mark of its own for the moment at which an episode was told, told again, or told to be over."""
    match phase:
        case Phase.OPENED:
            pen.polygon([(x - 6, y - 5), (x + 6, y - 5), (x, y + 6)], fill=BLUE)
        case Phase.UPDATED:
            pen.polygon([(x - 5, y), (x, y - 6), (x + 5, y), (x, y + 6)], fill="white", outline=BLUE)
        case Phase.CLOSED:
            pen.rectangle((x - 4, y - 4, x + 4, y + 4), fill=BLUE)


def written(pen: ImageDraw, place: tuple[float, float], text: str, colour: Colour = INK, anchor: str = "la") -> None:
    """Text with a white seam."""
    pen.text(place, text, colour, SMALL, anchor=anchor, stroke_width=2, stroke_fill="white")


def width_of(text: str) -> float:
    """Pixels, of the widest line."""
    return max((SMALL.getlength(line) for line in text.splitlines()), default=0.0)
