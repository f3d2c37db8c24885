"""The demo's picture: entropy and evidence over frames, what was injected, what was told, and a few frames."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from edge_agent.demo.lanes import LANE_PX, ROW_PX, boundaries_of, found_lane, injected_lane, legend, rows_of_labels, sample_lane
from edge_agent.demo.marks import GREY, INK, SMALL
from edge_agent.demo.panel import Backdrop, Frames, Scale, plot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_agent.demo.outcome import Alarm
    from edge_agent.demo.record import Point
    from edge_agent.demo.scenario import Injection

WIDTH, THUMBNAIL_PX = 1280, 176
LEFT, RIGHT = 84, 24
SAMPLES_TOP, INJECTED_TOP = 68, 102
ENTROPY_TOP, ENTROPY_BOTTOM = 146, 276
EVIDENCE_TOP, EVIDENCE_BOTTOM = 310, 536
FOUND_TOP = 564
HIGHEST_ENTROPY = 1.0986
BEYOND_LIMIT = 2
"""Decades above the alarm limit up to which evidence is drawn."""
TICK_FRAMES = 20


class Thumbnail:
    """A frame with its field entropy: pixels uint8 (height, width), map (rows, columns) in nats, and a caption."""

    def __init__(self, pixels: NDArray[np.uint8], field_entropy: tuple[tuple[float, ...], ...], caption: str) -> None:
        self.pixels = pixels
        self.field_entropy = field_entropy
        self.caption = caption


def draw(
    path: Path,
    points: Sequence[Point],
    injected: Sequence[Injection],
    alarms: Sequence[Alarm],
    thumbnails: Sequence[Thumbnail],
    *,
    setting: str,
    note: str,
) -> None:
    """Write the picture as PNG; `setting` says what the alarm limit was set for, `note` stands at the bottom."""
    frames = Frames(LEFT, WIDTH - RIGHT, len(points))
    below = FOUND_TOP + LANE_PX + ROW_PX * rows_of_labels(frames, alarms) + 24
    height = below + 2 * THUMBNAIL_PX + 74
    canvas = Image.new("RGB", (WIDTH, height), "white")
    pen = ImageDraw.Draw(canvas)
    title = "edge-agent demo: real micrographs, a simulated filament change, an unseen lot, rubbish"
    pen.text((LEFT, 12), title, INK, ImageFont.load_default(15))
    legend(pen, LEFT, 40)
    sample_lane(pen, frames, SAMPLES_TOP, points)
    injected_lane(pen, frames, INJECTED_TOP, injected)
    backdrop = Backdrop(injected, alarms, boundaries_of(points))
    plot(pen, frames, _entropy_scale(), [point.entropy for point in points], backdrop)
    threshold = next((point.threshold for point in points if point.threshold is not None), None)
    limit = None if threshold is None else (threshold, f"alarm limit {10**threshold:,.0f}, {setting}")
    plot(pen, frames, _evidence_scale(threshold), [point.statistic for point in points], backdrop, limit)
    for place in range(0, len(points), TICK_FRAMES):
        pen.text((frames.x(place), EVIDENCE_BOTTOM + 5), str(place), GREY, SMALL, anchor="ma")
    pen.text((LEFT - 8, EVIDENCE_BOTTOM + 5), "frame", GREY, SMALL, anchor="ra")
    found_lane(pen, frames, FOUND_TOP, alarms)
    for place, thumbnail in enumerate(thumbnails):
        left = LEFT + place * (THUMBNAIL_PX + 14)
        frame = Image.fromarray(thumbnail.pixels).convert("RGB").resize((THUMBNAIL_PX, THUMBNAIL_PX))
        canvas.paste(frame, (left, below))
        canvas.paste(_entropy_map(thumbnail), (left, below + THUMBNAIL_PX + 4))
        pen.text((left, below + 2 * THUMBNAIL_PX + 10), thumbnail.caption, INK, SMALL)
    if thumbnails:
        pen.text((LEFT - 8, below + 4), "frame", GREY, SMALL, anchor="ra")
        words = "entropy\nof each\nfield\n\nblue 0\nred 1.1"
        pen.multiline_text((LEFT - 8, below + THUMBNAIL_PX + 8), words, GREY, SMALL, anchor="ra", align="right")
    pen.text((LEFT, height - 28), note, GREY, SMALL)
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.save(path)


def _entropy_scale() -> Scale:
    title = "entropy of the ensemble's prediction, nats; at the top all three lots are equally likely"
    return Scale(title, ENTROPY_TOP, ENTROPY_BOTTOM, HIGHEST_ENTROPY, ((0.0, "0"), (0.5, "0.5"), (1.0, "1.0")))


def _evidence_scale(threshold: float | None) -> Scale:
    """Decades, from evidence of nothing to some beyond the limit."""
    highest = math.ceil(threshold or 0.0) + BEYOND_LIMIT
    title = (
        f"evidence of change: reached by chance at most once in so many normal frames (log scale, cut off at {10**highest:,}); "
        "while an alert is open, of the current sample alone"
    )
    return Scale(title, EVIDENCE_TOP, EVIDENCE_BOTTOM, float(highest), tuple((float(n), f"{10**n:,}") for n in range(highest + 1)))


def _entropy_map(thumbnail: Thumbnail) -> Image.Image:
    """From blue (certain) over white to red (every lot equally likely)."""
    share = np.clip(np.asarray(thumbnail.field_entropy) / HIGHEST_ENTROPY, 0.0, 1.0)[..., None]
    blue, white, red = (np.array(colour, float) for colour in ((60, 100, 180), (245, 245, 245), (190, 40, 40)))
    colours = np.where(share < 0.5, blue + (white - blue) * share * 2, white + (red - white) * (share * 2 - 1))
    return Image.fromarray(colours.astype(np.uint8)).resize((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.NEAREST)
