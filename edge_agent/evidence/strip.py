"""The strip: frames from before the onset, then the frames that carry the evidence, each whole and its centre pixel by pixel."""

from __future__ import annotations

import io
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from edge_agent.evidence.canvas import (
    BLUE,
    FAINT,
    INK,
    PAPER,
    VERMILION,
    centre,
    common_range,
    shortened,
    whole,
    wrapped,
    write,
)
from edge_agent.evidence.task import Standing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.evidence.canvas import Colour
    from edge_agent.evidence.look import Seen

ACROSS = 5
TILE = 216
GAP = 12
WHOLE = (TILE, TILE)
CENTRE = (TILE, 96)
BAR = 20
LINE = 17
TEXT = 13
LINES = 4
HEADING = 16
EMPTY: Colour = (236, 236, 236)
SAID = {
    Standing.GONE: "gone: the file is no longer there",
    Standing.CHANGED: "gone: the file has changed since",
    Standing.UNREADABLE: "gone: the file cannot be read now",
}


def draw_strip(title: Sequence[str], before: Sequence[Seen], evidence: Sequence[Seen]) -> bytes:
    """The strip as PNG; at least one frame can be shown.

    Args:
        title: its heading, line by line; longer lines are wrapped.
        before: comparison frames.
        evidence: evidence frames.
    """
    frames = [seen.frame for seen in (*before, *evidence) if seen.frame is not None]
    shown = common_range(frames)
    tiles = [(seen, "BEFORE", BLUE) for seen in before]
    tiles += [(seen, f"EVIDENCE {number}", VERMILION) for number, seen in enumerate(evidence, 1)]
    width = GAP + min(ACROSS, max(3, len(tiles))) * (TILE + GAP)
    heading = [line for text in title for line in wrapped(text, HEADING, width - 2 * GAP)]
    legend = wrapped(
        f"Each frame whole, and below it its centre pixel by pixel; black is {shown[0]:.3g} and white {shown[1]:.3g} of full scale in all.",
        TEXT,
        width - 2 * GAP,
    )
    top = GAP + len(heading) * (HEADING + 6) + len(legend) * LINE + GAP
    tile_height = BAR + WHOLE[1] + 4 + CENTRE[1] + 4 + LINES * LINE + GAP
    across = (width - GAP) // (TILE + GAP)
    rows = -(-len(tiles) // across)
    canvas = Image.new("RGB", (width, top + rows * tile_height), PAPER)
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(heading):
        write(draw, (GAP, GAP + number * (HEADING + 6)), line, HEADING)
    for number, line in enumerate(legend):
        write(draw, (GAP, GAP + len(heading) * (HEADING + 6) + number * LINE), line, TEXT, FAINT)
    for number, (seen, name, colour) in enumerate(tiles):
        place = (GAP + number % across * (TILE + GAP), top + number // across * tile_height)
        _tile(canvas, place, seen, name + (" = ONSET" if seen.wanted.is_onset else ""), colour, shown)
    return as_png(canvas)


def _tile(canvas: Image.Image, place: tuple[int, int], seen: Seen, name: str, colour: Colour, shown: tuple[float, float]) -> None:
    draw = ImageDraw.Draw(canvas)
    left, top = place
    draw.rectangle((left, top, left + TILE - 1, top + BAR - 1), fill=colour)
    write(draw, (left + 5, top + 2), name, TEXT, PAPER)
    top += BAR
    room = WHOLE[1] + 4 + CENTRE[1]
    if seen.frame is None:
        draw.rectangle((left, top, left + TILE - 1, top + room - 1), fill=EMPTY)
        for number, line in enumerate(wrapped(SAID[seen.standing], TEXT, TILE - 20)):
            write(draw, (left + 10, top + room // 2 - 20 + number * LINE), line, TEXT, INK)
    else:
        draw.rectangle((left, top, left + TILE - 1, top + WHOLE[1] - 1), fill=EMPTY)
        _middle(canvas, whole(seen.frame, WHOLE, shown), (left, top), WHOLE)
        _middle(canvas, centre(seen.frame, CENTRE, shown), (left, top + WHOLE[1] + 4), CENTRE)
    top += room + 4
    for number, line in enumerate(_labels(seen)):
        write(draw, (left, top + number * LINE), shortened(line, TEXT, TILE), TEXT, INK if number < 2 else FAINT)


def _middle(canvas: Image.Image, picture: Image.Image, place: tuple[int, int], room: tuple[int, int]) -> None:
    canvas.paste(picture, (place[0] + (room[0] - picture.width) // 2, place[1] + (room[1] - picture.height) // 2))


def _labels(seen: Seen) -> list[str]:
    wanted = seen.wanted
    name = PurePosixPath(wanted.name).name
    in_stack = wanted.frame_index > 0 or (seen.frame is not None and seen.frame.frame_count > 1)
    sure = "" if wanted.confidence is None else f" ({wanted.confidence:.0%})"
    return [
        f"{name} [frame {wanted.frame_index}]" if in_stack else name,
        "no sample" if wanted.sample is None else f"sample {wanted.sample}",
        "lot not known" if wanted.lot is None else f"predicted {wanted.lot}{sure}",
        "entropy not known" if wanted.entropy is None else f"entropy {wanted.entropy:.3f} nats",
    ]


def as_png(picture: Image.Image) -> bytes:
    """The picture's file."""
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()
