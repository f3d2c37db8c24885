"""What would have been alarmed beside what was."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.replay.alarms import Alarm


class Standing(StrEnum):
    """How an alarm of the replay stands to those that were raised."""

    SAME = "same"
    CHANGED = "changed"
    NEW = "new"
    NO_LONGER = "no longer"


@dataclass(frozen=True, slots=True)
class Compared:
    """One line of the comparison.

    Attributes:
        standing: same in every event; changed when an alarm of the same time differs; new; or no longer.
        replayed: the alarm of the replay; None when there is none any more.
        raised: the alarm that was raised, or None.
        difference: of a changed one, in words.
    """

    standing: Standing
    replayed: Alarm | None
    raised: Alarm | None
    difference: str = ""

    @property
    def alarm(self) -> Alarm:
        """The replay's, else the one that was raised."""
        found = self.replayed or self.raised
        if found is None:
            raise AssertionError("a line of a comparison has an alarm")
        return found


def compare(replayed: Sequence[Alarm], raised: Sequence[Alarm]) -> list[Compared]:
    """Pair alarms that are equal, then those that were open at one time, and order all by when they opened."""
    left = list(raised)
    lines: list[Compared] = []
    unpaired: list[Alarm] = []
    for alarm in replayed:
        twin = next((other for other in left if alarm.equals(other)), None)
        if twin is None:
            unpaired.append(alarm)
        else:
            left.remove(twin)
            lines.append(Compared(Standing.SAME, alarm, twin))
    for alarm in unpaired:
        twin = next((other for other in left if other.of_the_ensemble == alarm.of_the_ensemble and other.covers(alarm)), None)
        if twin is None:
            lines.append(Compared(Standing.NEW, alarm, None))
        else:
            left.remove(twin)
            lines.append(Compared(Standing.CHANGED, alarm, twin, _difference(alarm, twin)))
    lines += [Compared(Standing.NO_LONGER, None, alarm) for alarm in left]
    return sorted(lines, key=lambda line: -1 if line.alarm.opened is None else line.alarm.opened.number)


def _difference(now: Alarm, then: Alarm) -> str:
    parts = []
    if now.newest["kind"] != then.newest["kind"]:
        parts.append(f"was {then.newest['kind']}")
    if now.opened and then.opened and now.opened.number != then.opened.number:
        frames = now.opened.number - then.opened.number
        parts.append(f"opened {abs(frames)} frames {'later' if frames > 0 else 'earlier'}")
    if _onset(now) != _onset(then):
        path, index = _onset(then)
        parts.append(f"onset was {path}" + (f" frame {index}" if index else ""))
    if (now.closed and now.closed.number) != (then.closed and then.closed.number):
        parts.append("still open" if now.closed is None else "was still open" if then.closed is None else _closing(now, then))
    return "; ".join(parts) or "evidence, confidence or words differ"


def _onset(alarm: Alarm) -> tuple[str, int]:
    return alarm.newest["onset_path"], alarm.newest["onset_frame_index"]


def _closing(now: Alarm, then: Alarm) -> str:
    frames = (now.closed.number if now.closed else 0) - (then.closed.number if then.closed else 0)
    return f"closed {abs(frames)} frames {'later' if frames > 0 else 'earlier'}"
