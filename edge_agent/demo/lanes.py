"""Lanes above and below the panels: samples by name, what was injected, and what each episode was told to be."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from edge_agent.core.verdict import Phase
from edge_agent.demo.marks import BLUE, FAINT, GREY, INK, PALE_ORANGE, SMALL, VERMILION, dashed, hatched, moment, width_of, written
from edge_agent.demo.panel import end_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from PIL.ImageDraw import ImageDraw

    from edge_agent.demo.outcome import Alarm
    from edge_agent.demo.panel import Frames
    from edge_agent.demo.record import Point
    from edge_agent.demo.scenario import Injection

LANE_PX, ROW_PX = 18, 16
LEGEND_PX = 26


def boundaries_of(points: Sequence[Point]) -> list[int]:
    """First frames of all samples but the first."""
    return [place for place in range(1, len(points)) if points[place].sample != points[place - 1].sample]


def sample_lane(pen: ImageDraw, frames: Frames, top: int, points: Sequence[Point]) -> None:
    """Each sample's name, number over label, where there is room for it."""
    firsts = [0, *boundaries_of(points), len(points)]
    pen.text((frames.left - 8, top + 14), "sample", GREY, SMALL, anchor="rm")
    for first, end in itertools.pairwise(firsts):
        left, right = frames.x(first - 0.5), frames.x(end - 0.5)
        pen.line((left, top, left, top + 30), fill=FAINT)
        number, _, label = points[first].sample.partition("-") if points else ("", "", "")
        name = next((name for name in (f"{number}\n{label}", number) if width_of(name) < right - left - 8), "")
        pen.multiline_text((left + 5, top), name, GREY, SMALL, spacing=2)


def injected_lane(pen: ImageDraw, frames: Frames, top: int, injected: Sequence[Injection]) -> None:
    """What was done, by name."""
    pen.text((frames.left - 8, top + LANE_PX / 2), "injected", GREY, SMALL, anchor="rm")
    for injection in injected:
        left, right = frames.x(injection.first - 0.5), frames.x(injection.last + 0.5)
        pen.rectangle((left, top, right, top + LANE_PX), fill=PALE_ORANGE)
        pen.text((left + 5, top + LANE_PX / 2), injection.name, INK, SMALL, anchor="lm")


def found_lane(pen: ImageDraw, frames: Frames, top: int, alarms: Sequence[Alarm]) -> None:
    """Each episode from its onset to its end, with its moments, and beneath it what it was told to be and how surely."""
    middle = top + LANE_PX / 2
    pen.text((frames.left - 8, middle), "found", GREY, SMALL, anchor="rm")
    labels = list(_labels(frames, alarms))
    for x, _, row, _ in labels:
        pen.line((x, top + LANE_PX, x, top + LANE_PX + row * ROW_PX + 8), fill=BLUE)
    for _, left, row, text in labels:
        written(pen, (left, top + LANE_PX + 2 + row * ROW_PX), text)
    for alarm in alarms:
        onset, opened, end = frames.x(alarm.onset - 0.5), frames.x(alarm.opened), frames.x(end_of(alarm, frames))
        hatched(pen, (opened, top, end, top + LANE_PX))
        pen.rectangle((opened, top, end, top + LANE_PX), outline=BLUE)
        pen.line((onset, middle, opened, middle), fill=BLUE, width=2)
        pen.line((onset, top + 3, onset, top + LANE_PX - 3), fill=BLUE, width=2)
        for telling in alarm.tellings:
            moment(pen, frames.x(telling.frame), middle, telling.phase)


def rows_of_labels(frames: Frames, alarms: Sequence[Alarm]) -> int:
    """Rows that the found lane's words take."""
    return 1 + max((row for _, _, row, _ in _labels(frames, alarms)), default=0)


def _labels(frames: Frames, alarms: Sequence[Alarm]) -> Iterator[tuple[float, float, int, str]]:
    """Each episode's opening, the left edge of its words, their row and they themselves: no two words overlap."""
    ends: list[float] = []
    for alarm in sorted(alarms, key=lambda alarm: alarm.opened):
        told = [f"{telling.kind.value} {telling.confidence:.0%}" for telling in alarm.tellings if telling.phase is not Phase.CLOSED]
        text = ", then ".join(told)
        opened = frames.x(alarm.opened)
        left = max(frames.left, min(opened + 5, frames.right - width_of(text)))
        row = next((row for row, end in enumerate(ends) if end < left), len(ends))
        ends[row : row + 1] = [left + width_of(text) + 10]
        yield opened, left, row, text


def legend(pen: ImageDraw, left: int, top: int) -> None:
    """What the looks mean."""
    middle, x = top + 7, float(left)

    def word(text: str) -> None:
        nonlocal x
        pen.text((x + LEGEND_PX + 6, middle), text, INK, SMALL, anchor="lm")
        x += LEGEND_PX + 6 + width_of(text) + 20

    pen.rectangle((x, top, x + LEGEND_PX, top + 14), fill=PALE_ORANGE)
    word("injected")
    hatched(pen, (x, top, x + LEGEND_PX, top + 14))
    pen.rectangle((x, top, x + LEGEND_PX, top + 14), outline=BLUE)
    word("episode: an alert is open")
    pen.line((x, top + 2, x, top + 12), fill=BLUE, width=2)
    pen.line((x, middle, x + LEGEND_PX, middle), fill=BLUE, width=2)
    word("since its onset")
    for phase, text in ((Phase.OPENED, "told"), (Phase.UPDATED, "told again: surer, or another kind"), (Phase.CLOSED, "over")):
        moment(pen, x + LEGEND_PX / 2, middle, phase)
        word(text)
    pen.line((x + LEGEND_PX / 2, top, x + LEGEND_PX / 2, top + 14), fill=FAINT, width=2)
    word("next sample")
    dashed(pen, (x, middle, x + LEGEND_PX, middle), VERMILION)
    word("alarm limit")
