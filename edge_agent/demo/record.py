"""Keeps what the agent's events tell during the demo."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge_agent.core.verdict import Kind, Phase
from edge_agent.demo.outcome import Alarm, Telling

if TYPE_CHECKING:
    from edge_agent.core.event import Event


@dataclass(frozen=True, slots=True)
class Point:
    """One scored frame; statistic and threshold are decimal logarithms of frames between false alarms, None when it was not judged."""

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
            return self._alert(Phase(kind.removeprefix("alert.")), told)
        return None

    def _alert(self, phase: Phase, told: dict[str, Any]) -> str:
        telling = Telling(len(self.points) - 1, phase, Kind(told["kind"]), told["confidence"])
        if phase is Phase.OPENED:
            self.alarms[told["episode"]] = Alarm(told["episode"], self._place(told["onset_path"]), told["reason"], [telling])
        else:
            self.alarms[told["episode"]].tellings.append(telling)
        if phase is Phase.CLOSED:
            return f"{told['path']}  closed   {telling.kind.value}"
        since = f" Since {told['onset_path']}." if phase is Phase.OPENED else ""
        return f"{told['path']}  {phase.value:8} {telling.kind.value} ({telling.confidence:.0%}): {told['reason']}{since}"

    def _place(self, path: str) -> int:
        """The newest frame of that file."""
        return max(place for place, point in enumerate(self.points) if point.path == path)
