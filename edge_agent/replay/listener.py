"""What a replay's audience gets while it runs: its pace, its alarms as they come, a picture at the end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edge_agent.replay.picture import Drawing

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from edge_agent.replay.replay import Replayed, Step


class Pace:
    """Lets frames pass as they were recorded, so many times faster; a pause that runs backwards is none.

    Args:
        speed: how many times faster.
        sleep: waits so many seconds.
    """

    def __init__(self, speed: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self._speed = speed
        self._sleep = sleep
        self._last: datetime | None = None

    def wait_for(self, at: datetime) -> None:
        """Wait until the frame taken `at` this time is due."""
        if self._last is not None and at > self._last:
            self._sleep((at - self._last).total_seconds() / self._speed)
        self._last = at


class Listener:
    """Hears every frame.

    Args:
        speed: the pace; None does not wait, and then alarms are not said as they come.
        plot: where to draw; None draws nothing.
        say: takes a line about an alarm.
        advance: called after each frame.
    """

    def __init__(self, *, speed: float | None, plot: Path | None, say: Callable[[str], None], advance: Callable[[], None]) -> None:
        self._pace = None if speed is None else Pace(speed)
        self._drawing = None if plot is None else Drawing(plot)
        self._say = say
        self._advance = advance

    def hear(self, step: Step) -> None:
        """One frame was judged."""
        if step.in_period:
            if self._drawing is not None:
                self._drawing.add(step)
            if self._pace is not None:
                self._pace.wait_for(step.observation.ref.at)
                for alert in step.alerts:
                    self._say(f"{alert['phase']}: {alert['kind']} since {alert['onset_path']}: {alert['reason']}")
        self._advance()

    def draw(self, replayed: Replayed) -> None:
        """Write the picture, if one was wanted."""
        if self._drawing is not None:
            self._drawing.write(replayed)
