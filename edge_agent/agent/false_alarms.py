"""The false alarms a stream realised, by its operators' word, beside those it was set for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from edge_agent.drift import DriftSettings
from edge_agent.journal import operation

if TYPE_CHECKING:
    from edge_agent.config import Settings
    from edge_agent.journal import JournalView

DAYS = 30


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """One stream's last DAYS days.

    Attributes:
        stream: its name.
        marked: alarms that operators marked as wrong in that time.
        frames: frames that were scored in that time, as far as the journal goes back.
        expected: false alarms that the setting allows in so many frames.
        per_month, frames_per_hour: the setting.
    """

    stream: str
    marked: int
    frames: int
    expected: float
    per_month: float
    frames_per_hour: float

    def __str__(self) -> str:
        return (
            f"{self.stream}: alarms marked wrong in the last {DAYS} days: {self.marked}; the setting of {self.per_month:g} a month at "
            f"{self.frames_per_hour:g} frames an hour allows {self.expected:.2g} in the {self.frames} frames of that time"
        )


def false_alarms(settings: Settings, view: JournalView) -> list[FalseAlarms]:
    """Every configured stream's."""
    since_ns = time.time_ns() - DAYS * 86_400 * 10**9
    found = []
    for stream in settings.stream:
        marked = view.look(partial(operation.marked_wrong, stream=stream.name, since_ns=since_ns))
        frames = view.look(partial(operation.frames_recorded, stream=stream.name, since_ns=since_ns))
        drift = DriftSettings(stream.drift.false_alarms_per_month, stream.drift.frames_per_hour)
        expected = frames / drift.frames_between_false_alarms
        found.append(FalseAlarms(stream.name, marked, frames, expected, drift.false_alarms_per_month, drift.frames_per_hour))
    return found
