"""Lettering and grey levels, on Pillow alone."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from edge_agent.core.frame import Frame

Colour = tuple[int, int, int]
PAPER: Colour = (255, 255, 255)
INK: Colour = (30, 30, 30)
FAINT: Colour = (110, 110, 110)
BLUE: Colour = (0, 114, 178)
VERMILION: Colour = (213, 94, 0)
"""Blue and vermilion are told apart by the colour-blind, and by their lightness (Okabe & Ito 2008)."""
SAMPLED = 1 << 16
"""Pixels from which a frame's range of grey levels is taken, at most."""


FONTS = ("DejaVuSans.ttf", "segoeui.ttf", "arial.ttf", "LiberationSans-Regular.ttf", "Arial.ttf")
"""Looked for where the system keeps its fonts, in this order."""


@lru_cache(maxsize=8)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font of the system, for its letters beyond ASCII, which Pillow's own font lacks; that one where there is no other."""
    for name in FONTS:
        try:
            return ImageFont.truetype(name, size, layout_engine=ImageFont.Layout.BASIC)
        except OSError:
            continue
    return ImageFont.load_default(size)


@lru_cache(maxsize=4096)
def _drawable(character: str) -> str:
    """The character, or its number where it cannot be shown: a box would make all unknown characters alike."""
    if not character.isprintable():  # halves of surrogate pairs, and marks that turn the direction of writing, among them
        return _escaped(character)
    missing, shown = font(12).getmask("\U0010fffe"), font(12).getmask(character)
    if character == " " or (shown.size, bytes(shown)) != (missing.size, bytes(missing)):
        return character
    return _escaped(character)


def _escaped(character: str) -> str:
    return f"\\x{ord(character):02x}" if character.isascii() else character.encode("ascii", "backslashreplace").decode()


def legible(text: str) -> str:
    """`text` with what the font lacks, and what is no Unicode, as numbers."""
    return "".join(_drawable(character) for character in text)


def width_of(text: str, size: int) -> float:
    """Pixels that legible `text` takes."""
    return font(size).getlength(text)


def shortened(text: str, size: int, room: float) -> str:
    """Legible `text` without its middle where it needs more than `room` pixels: names differ at their ends."""
    text = legible(text)
    if width_of(text, size) <= room:
        return text
    kept = len(text)
    while kept > 2 and width_of(text, size) > room:
        kept -= 1
        middle = text if kept >= len(text) else text[: (kept + 1) // 2] + "..." + text[len(text) - kept // 2 :]
        if width_of(middle, size) <= room:
            return middle
    return "..."


def wrapped(text: str, size: int, room: float) -> list[str]:
    """Legible `text` in lines of at most `room` pixels; a word that is longer loses its middle."""
    lines: list[str] = []
    for word in legible(text).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width_of(longer, size) <= room:
            lines[-1] = longer
        else:
            lines.append(shortened(word, size, room))
    return lines


def write(draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, size: int, colour: Colour = INK) -> None:
    """Write legible `text` with its upper left corner at `place`."""
    draw.text(place, text, fill=colour, font=font(size))


def common_range(frames: Iterable[Frame]) -> tuple[float, float]:
    """The intensities, full scale is 1, that become black and white: one range for all, or a change of brightness would not show."""
    least, most = [], []
    for frame in frames:
        step = max(1, int((frame.pixels.size / SAMPLED) ** 0.5))
        low, high = np.percentile(frame.pixels[::step, ::step], (0.5, 99.5))
        least.append(float(low) / frame.full_scale)
        most.append(float(high) / frame.full_scale)
    low, high = min(least), max(most)
    return (low, high) if high > low else (low, low + 1.0)


def grey(frame: Frame, window: tuple[slice, slice], shown: tuple[float, float]) -> Image.Image:
    """A part of the frame in grey levels."""
    low, high = shown
    part: NDArray[np.float32] = frame.pixels[window].astype(np.float32) / np.float32(frame.full_scale)
    levels = np.clip((part - np.float32(low)) / np.float32(high - low), 0, 1)
    return Image.fromarray(np.rint(levels * 255).astype(np.uint8))


def whole(frame: Frame, room: tuple[int, int], shown: tuple[float, float]) -> Image.Image:
    """The whole frame, averaged down, or enlarged, to fit into `room` (width, height)."""
    height, width = frame.pixels.shape
    scale = min(room[0] / width, room[1] / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    step = max(1, min(height // (4 * size[1]), width // (4 * size[0])))  # of a large frame every few pixels are enough to average
    picture = grey(frame, (slice(None, None, step), slice(None, None, step)), shown)
    return picture.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST)


def centre(frame: Frame, room: tuple[int, int], shown: tuple[float, float]) -> Image.Image:
    """The frame's centre at its own pixels, (width, height) of `room` at most: noise and sharpness do not survive averaging."""
    height, width = frame.pixels.shape
    across, down = min(room[0], width), min(room[1], height)
    left, top = (width - across) // 2, (height - down) // 2
    return grey(frame, (slice(top, top + down), slice(left, left + across)), shown)
