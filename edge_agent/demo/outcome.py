"""What was injected against what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.core.verdict import Phase
from edge_agent.demo.scenario import EXPECTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge_agent.core.verdict import Kind
    from edge_agent.demo.scenario import Injection


@dataclass(frozen=True, slots=True)
class Telling:
    """One event of an episode.

    Attributes:
        frame: the newest frame when it was told.
        phase: opened, updated or closed.
        kind, confidence: what the episode seemed to be.
    """

    frame: int
    phase: Phase
    kind: Kind
    confidence: float


@dataclass(slots=True)
class Alarm:
    """One episode as its events told it; frames are counted in the order of imaging.

    Attributes:
        episode: its identity.
        onset: the frame at which the change is thought to have begun.
        reason: the sentence it opened with.
        tellings: its events, first to last; never empty.
    """

    episode: str
    onset: int
    reason: str
    tellings: list[Telling]

    @property
    def opened(self) -> int:
        """The frame at which it was told first."""
        return self.tellings[0].frame

    @property
    def closed(self) -> int | None:
        """The frame at which its end was told; None while it is open."""
        return self.tellings[-1].frame if self.tellings[-1].phase is Phase.CLOSED else None

    @property
    def kind(self) -> Kind:
        """What it was said to be in the end."""
        return self.tellings[-1].kind


@dataclass(frozen=True, slots=True)
class Row:
    """One injection with the alarm that found it.

    Attributes:
        injection: what was done.
        alarm: the first episode that opened while it lasted; None when nothing was found.
        kind_is_right: whether what that said in the end names the injection.
        closed_after: frames from the last injected one to the alarm's end; None while open.
        repeats: further alarms within the same injection.
    """

    injection: Injection
    alarm: Alarm | None
    kind_is_right: bool
    closed_after: int | None
    repeats: int

    @property
    def kind(self) -> Kind | None:
        """What the episode said in the end."""
        return self.alarm.kind if self.alarm else None

    @property
    def delay(self) -> int | None:
        """Frames from the first injected one to the alarm."""
        return self.alarm.opened - self.injection.first if self.alarm else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The demo's result."""

    rows: tuple[Row, ...]
    false_alarms: tuple[Alarm, ...]

    @property
    def all_found(self) -> bool:
        """Whether every injection raised an alarm while it lasted."""
        return all(row.alarm is not None for row in self.rows)

    @property
    def passed(self) -> bool:
        """Every injection found and rightly named, and nothing else alarmed."""
        return self.all_found and all(row.kind_is_right for row in self.rows) and not self.false_alarms


def compare(injected: Sequence[Injection], alarms: Sequence[Alarm]) -> Outcome:
    """Match alarms to the injections during which they opened."""
    rows = []
    matched: set[str] = set()
    for injection in injected:
        inside = [alarm for alarm in alarms if injection.first <= alarm.opened <= injection.last]
        matched.update(alarm.episode for alarm in inside)
        first = inside[0] if inside else None
        rows.append(
            Row(
                injection=injection,
                alarm=first,
                kind_is_right=first is not None and first.kind in EXPECTED[injection.shift],
                closed_after=inside[-1].closed - injection.last if inside and inside[-1].closed is not None else None,
                repeats=max(0, len(inside) - 1),
            )
        )
    return Outcome(tuple(rows), tuple(alarm for alarm in alarms if alarm.episode not in matched))


def in_words(outcome: Outcome) -> Iterator[str]:
    """A sentence or two for each injection and each false alarm."""
    for row in outcome.rows:
        yield f"{row.injection.name}, frames {row.injection.first} to {row.injection.last}: {_found(row)}"
    for alarm in outcome.false_alarms:
        yield f"Nothing was injected at frame {alarm.opened}, yet it was told as {_named(alarm.tellings[0])}. {alarm.reason}"


def _found(row: Row) -> str:
    if row.alarm is None:
        return "NOT FOUND."
    first = row.alarm.tellings[0]
    told = f"told with frame {first.frame}, {row.delay} after the first, as {_named(first)}"
    for telling in row.alarm.tellings[1:]:
        if telling.phase is Phase.UPDATED:
            told += f", with frame {telling.frame} as {_named(telling)}"
    wrong = "" if row.kind_is_right else " That is the WRONG kind."
    end = "still open" if row.alarm.closed is None else f"over with frame {row.alarm.closed}"
    return f"{told}; {end}.{wrong} {row.alarm.reason}"


def _named(telling: Telling) -> str:
    return f"{telling.kind.value} ({telling.confidence:.0%})"
