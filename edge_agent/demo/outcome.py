"""What was injected against what was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.demo.scenario import EXPECTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.core.verdict import Kind
    from edge_agent.demo.scenario import Injection


@dataclass(slots=True)
class Alarm:
    """One episode as its events told it; places count frames in the order of imaging."""

    episode: str
    opened: int
    kind: Kind
    reason: str
    closed: int | None = None
    kinds: list[Kind] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Row:
    """One injection with the alarm that found it.

    Attributes:
        injection: what was done.
        kind: what the episode said in the end; None when nothing was found.
        kind_is_right: whether that names the injection.
        delay: frames from the first injected one to the alarm.
        closed_after: frames from the last injected one to the alarm's end; None while open.
        repeats: further alarms within the same injection.
    """

    injection: Injection
    kind: Kind | None
    kind_is_right: bool
    delay: int | None
    closed_after: int | None
    repeats: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The demo's result."""

    rows: tuple[Row, ...]
    false_alarms: tuple[Alarm, ...]

    @property
    def all_found(self) -> bool:
        """Whether every injection raised an alarm while it lasted."""
        return all(row.kind is not None for row in self.rows)

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
                kind=first.kind if first else None,
                kind_is_right=first is not None and first.kind in EXPECTED[injection.shift],
                delay=first.opened - injection.first if first else None,
                closed_after=inside[-1].closed - injection.last if inside and inside[-1].closed is not None else None,
                repeats=max(0, len(inside) - 1),
            )
        )
    return Outcome(tuple(rows), tuple(alarm for alarm in alarms if alarm.episode not in matched))
