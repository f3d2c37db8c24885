"""The demo's picture: entropy and drift over frames, what was injected, what was alarmed, and a few frames."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_agent.demo.outcome import Alarm
    from edge_agent.demo.record import Point
    from edge_agent.demo.scenario import Injection

WIDTH, PLOT_HEIGHT, THUMBNAIL_PX = 1280, 210, 176
LEFT, RIGHT, TOP, GAP = 74, 24, 52, 48
SHADES = {"filament": (255, 236, 200), "unseen": (214, 232, 250), "unrelated": (240, 216, 240)}
INK, GREY, RED, BLUE = (30, 30, 30), (150, 150, 150), (200, 30, 30), (20, 80, 160)
HIGHEST_ENTROPY = 1.0986


class Thumbnail:
    """A frame with its field entropy: pixels uint8 (height, width), map (rows, columns) in nats, and a caption."""

    def __init__(self, pixels: NDArray[np.uint8], field_entropy: tuple[tuple[float, ...], ...], caption: str) -> None:
        self.pixels = pixels
        self.field_entropy = field_entropy
        self.caption = caption


def draw(
    path: Path, points: Sequence[Point], injected: Sequence[Injection], alarms: Sequence[Alarm], thumbnails: Sequence[Thumbnail], note: str
) -> None:
    """Write the picture as PNG."""
    height = TOP + 2 * (PLOT_HEIGHT + GAP) + 2 * THUMBNAIL_PX + 96
    canvas = Image.new("RGB", (WIDTH, height), "white")
    pen = ImageDraw.Draw(canvas)
    font, small = ImageFont.load_default(15), ImageFont.load_default(12)
    pen.text((LEFT, 14), "edge-agent demo: real micrographs, a simulated filament change, an unseen lot, rubbish", INK, font)
    threshold = next((point.threshold for point in points if point.threshold), None)
    _plot(pen, TOP, [p.entropy for p in points], (0.0, HIGHEST_ENTROPY), None, "entropy, nats", injected, alarms)
    top = 2.5 * (threshold or 5.0)
    drift = [None if p.statistic is None else min(p.statistic, top) for p in points]
    _plot(pen, TOP + PLOT_HEIGHT + GAP, drift, (0.0, top), threshold, "drift statistic (cut off)", injected, alarms)
    below = TOP + 2 * (PLOT_HEIGHT + GAP)
    for place, thumbnail in enumerate(thumbnails):
        left = LEFT + place * (THUMBNAIL_PX + 14)
        frame = Image.fromarray(thumbnail.pixels).convert("RGB").resize((THUMBNAIL_PX, THUMBNAIL_PX))
        canvas.paste(frame, (left, below))
        canvas.paste(_entropy_map(thumbnail), (left, below + THUMBNAIL_PX + 4))
        pen.text((left, below + 2 * THUMBNAIL_PX + 10), thumbnail.caption, INK, small)
    pen.text((8, below + 4), "frame", GREY, small)
    pen.text((8, below + THUMBNAIL_PX + 8), "entropy\nof each\nfield\n\nblue 0\nred 1.1", GREY, small)
    pen.text((LEFT, height - 40), note, GREY, small)
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.save(path)


def _plot(
    pen: ImageDraw.ImageDraw,
    top: int,
    values: Sequence[float | None],
    limits: tuple[float, float],
    threshold: float | None,
    title: str,
    injected: Sequence[Injection],
    alarms: Sequence[Alarm],
) -> None:
    small = ImageFont.load_default(12)
    right, bottom = WIDTH - RIGHT, top + PLOT_HEIGHT
    step = (right - LEFT) / max(1, len(values))

    def x(place: float) -> float:
        return LEFT + (place + 0.5) * step

    def y(value: float) -> float:
        return bottom - (value - limits[0]) / (limits[1] - limits[0]) * PLOT_HEIGHT

    for injection in injected:
        pen.rectangle((x(injection.first - 0.5), top, x(injection.last + 0.5), bottom), fill=SHADES[injection.shift])
        pen.text((x(injection.first - 0.5) + 4, top + 4), injection.shift, INK, small)
    pen.rectangle((LEFT, top, right, bottom), outline=GREY)
    if threshold is not None:
        pen.line((LEFT, y(threshold), right, y(threshold)), fill=RED)
        pen.text((right - 60, y(threshold) - 16), "threshold", RED, small)
    for known, run in itertools.groupby(enumerate(values), key=lambda held: held[1] is not None):
        if known:  # a frame that was not judged leaves a gap
            pen.line([(x(place), y(value)) for place, value in run if value is not None], fill=BLUE, width=2)
    for alarm in alarms:
        pen.line((x(alarm.opened), top, x(alarm.opened), bottom), fill=RED, width=2)
        pen.text((x(alarm.opened) + 4, bottom - 18), alarm.kind.value, RED, small)
        if alarm.closed is not None:
            pen.line((x(alarm.closed), top, x(alarm.closed), bottom), fill=GREY)
    for share in (0.0, 0.5, 1.0):
        value = limits[0] + share * (limits[1] - limits[0])
        pen.text((34, y(value) - 7), f"{value:.1f}", GREY, small)
    pen.text((LEFT, top - 17), title, INK, small)
    pen.text((right - 160, bottom + 4), f"frames 0 to {len(values) - 1}", GREY, small)


def _entropy_map(thumbnail: Thumbnail) -> Image.Image:
    """From blue (certain) over white to red (every lot equally likely)."""
    share = np.clip(np.asarray(thumbnail.field_entropy) / HIGHEST_ENTROPY, 0.0, 1.0)[..., None]
    blue, white, red = (np.array(colour, float) for colour in ((60, 100, 180), (245, 245, 245), (190, 40, 40)))
    colours = np.where(share < 0.5, blue + (white - blue) * share * 2, white + (red - white) * (share * 2 - 1))
    return Image.fromarray(colours.astype(np.uint8)).resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.NEAREST)
