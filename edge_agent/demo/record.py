"""Keeps what the agent's events tell during the demo."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge_agent.core.verdict import Kind
from edge_agent.demo.outcome import Alarm

if TYPE_CHECKING:
    from edge_agent.core.event import Event


@dataclass(frozen=True, slots=True)
class Point:
    """One scored frame."""

    path: str
    sample: str
    lot: str
    entropy: float
    statistic: float | None
    threshold: float | None
    in_alarm: bool


@dataclass(slots=True)
class Record:
    """The demo's memory, in the order in which frames were judged."""

    points: list[Point] = field(default_factory=list)
    alarms: dict[str, Alarm] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def take(self, event: Event) -> str | None:
        """Add an event; return a line for the reader when it is worth one."""
        kind = event.type.removeprefix("edge.").rpartition(".")[0]
        told: dict[str, Any] = json.loads(event.data)
        if kind == "frame.scored":
            in_alarm = told["drift_state"] == "alarm"
            self.points.append(
                Point(
                    told["path"],
                    told["sample"] or "",
                    told["lot"],
                    told["entropy"],
                    told["drift_statistic"],
                    told["drift_threshold"],
                    in_alarm,
                )
            )
            return None
        if kind == "frame.quarantined":
            self.refused.append(told["path"])
            return f"{told['path']} could not be read: {told['detail']}"
        if kind.startswith("alert."):
            return self._alert(kind.removeprefix("alert."), told)
        return None

    def _alert(self, phase: str, told: dict[str, Any]) -> str:
        here = len(self.points) - 1
        seemed = Kind(told["kind"])
        if phase == "opened":
            self.alarms[told["episode"]] = Alarm(told["episode"], here, seemed, told["reason"], kinds=[seemed])
        alarm = self.alarms[told["episode"]]
        alarm.kind = seemed
        if phase == "updated":
            alarm.kinds.append(seemed)
        if phase == "closed":
            alarm.closed = here
            return f"{told['path']}  closed   {seemed.value}"
        return f"{told['path']}  {phase:8} {seemed.value} ({told['confidence']:.0%}): {told['reason']}"
