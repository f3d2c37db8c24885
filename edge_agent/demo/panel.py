"""One quantity over frames, with what was injected and what was found behind it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.core.verdict import Phase
from edge_agent.demo.marks import BLUE, FAINT, GREY, INK, PALE_ORANGE, SMALL, VERMILION, dashed, hatched, written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.ImageDraw import ImageDraw

    from edge_agent.demo.outcome import Alarm
    from edge_agent.demo.scenario import Injection


@dataclass(frozen=True, slots=True)
class Frames:
    """The axis all panels and lanes share.

    Attributes:
        left, right: its ends, pixels.
        count: frames.
    """

    left: int
    right: int
    count: int

    def x(self, place: float) -> float:
        """Where a frame's middle lies."""
        return self.left + (place + 0.5) * (self.right - self.left) / max(1, self.count)


@dataclass(frozen=True, slots=True)
class Scale:
    """A panel's upright axis.

    Attributes:
        title: what is drawn, in what unit.
        top, bottom: its ends, pixels.
        highest: the value at the top; the bottom is 0, and what lies beyond is cut off.
        ticks: value and label.
    """

    title: str
    top: int
    bottom: int
    highest: float
    ticks: tuple[tuple[float, str], ...]

    def y(self, value: float) -> float:
        """Where a value lies."""
        return self.bottom - min(value, self.highest) / self.highest * (self.bottom - self.top)


@dataclass(frozen=True, slots=True)
class Backdrop:
    """What both panels show behind their line.

    Attributes:
        injected: what was done.
        alarms: what was found.
        boundaries: first frames of all samples but the first.
    """

    injected: Sequence[Injection]
    alarms: Sequence[Alarm]
    boundaries: Sequence[int]

    def draw(self, pen: ImageDraw, frames: Frames, top: int, bottom: int) -> None:
        """Injected periods in pale orange, episodes hatched in blue, samples by grey lines."""
        for injection in self.injected:
            pen.rectangle((frames.x(injection.first - 0.5), top, frames.x(injection.last + 0.5), bottom), fill=PALE_ORANGE)
        for alarm in self.alarms:
            hatched(pen, (frames.x(alarm.opened), top, frames.x(end_of(alarm, frames)), bottom))
        for first in self.boundaries:
            pen.line((frames.x(first - 0.5), top, frames.x(first - 0.5), bottom), fill=FAINT)
        for alarm in self.alarms:
            for telling in alarm.tellings:
                x = frames.x(telling.frame)
                if telling.phase is Phase.OPENED:
                    pen.line((x, top, x, bottom), fill=BLUE)
                else:
                    dashed(pen, (x, top, x, bottom), BLUE, 3)


def end_of(alarm: Alarm, frames: Frames) -> int:
    """Its last frame; the last of all while it is open."""
    return frames.count - 1 if alarm.closed is None else alarm.closed


def plot(
    pen: ImageDraw, frames: Frames, scale: Scale, values: Sequence[float | None], backdrop: Backdrop, limit: tuple[float, str] | None = None
) -> None:
    """Draw a panel; `limit` is a value and what it means. A frame without a value leaves a gap."""
    backdrop.draw(pen, frames, scale.top, scale.bottom)
    for value, label in scale.ticks:
        pen.line((frames.left - 4, scale.y(value), frames.left, scale.y(value)), fill=GREY)
        pen.text((frames.left - 8, scale.y(value)), label, GREY, SMALL, anchor="rm")
    pen.rectangle((frames.left, scale.top, frames.right, scale.bottom), outline=GREY)
    if limit is not None:
        dashed(pen, (frames.left, scale.y(limit[0]), frames.right, scale.y(limit[0])), VERMILION)
    for known, run in itertools.groupby(enumerate(values), key=lambda held: held[1] is not None):
        if known:
            line = [(frames.x(place), scale.y(value)) for place, value in run if value is not None]
            pen.line(line, fill=INK, width=2)
            for x, y in (line[0], line[-1]):  # a single frame between gaps has no line
                pen.rectangle((x - 1, y - 1, x + 1, y + 1), fill=INK)
    if limit is not None:
        written(pen, (frames.left + 8, scale.y(limit[0]) - 4), limit[1], VERMILION, anchor="ld")
    pen.text((frames.left, scale.top - 6), scale.title, INK, SMALL, anchor="ld")
