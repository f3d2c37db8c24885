"""Alarms as a reader of the events sees them, whether they were told or only would have been."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_agent.core.frame import FileIdentity
from edge_agent.core.verdict import Kind, Phase
from edge_agent.publish import Origin, alert

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.core.prediction import ModelIdentity
    from edge_agent.core.verdict import EpisodeChange, FrameRef, Observation

FACTS = (
    "episode", "phase", "revision", "kind", "confidence", "reason", "action", "onset_path", "onset_frame_index", "onset_sample",
    "onset_time", "evidence_paths", "evidence_frame_indices",
)  # fmt: skip
"""What of an alert event the judge decides; two alarms are the same when these agree in every event."""


@dataclass(frozen=True, slots=True)
class Place:
    """A frame of the period: its number among those that were replayed, from 0, and which it is."""

    number: int
    frame: FrameRef


@dataclass(slots=True)
class Alarm:
    """One episode.

    Attributes:
        told: its alert events' data, in order.
        opened: the frame that opened it; None when that frame is not among those that were replayed.
        closed: the frame that closed it, or None.
        decided: how many of its events came before an operator's first word on it; None when nobody said one.
    """

    told: list[dict[str, Any]]
    opened: Place | None
    closed: Place | None = None
    decided: int | None = None

    @property
    def newest(self) -> dict[str, Any]:
        """The data of the event that says most: the last before the episode closed."""
        return next((data for data in reversed(self.told) if data["phase"] != Phase.CLOSED), self.told[-1])

    @property
    def facts(self) -> list[dict[str, Any]]:
        """What the judge decided, event by event."""
        return [{name: data.get(name) for name in FACTS} for data in self.told]

    def equals(self, raised: Alarm) -> bool:
        """Whether the judge decided the same at the same frames; what an operator's word made of the one that was raised does not count."""
        own, other = self.facts[: raised.decided], raised.facts[: raised.decided]
        ends = raised.decided is not None or self._last == raised._last
        return own == other and self._first == raised._first and ends

    @property
    def of_the_ensemble(self) -> bool:
        """Whether it is about members left out: these stand beside any other episode."""
        return str(self.told[0]["kind"]) == Kind.DEGRADED

    def covers(self, other: Alarm) -> bool:
        """Whether both were open at one time."""
        return self._first <= other._last and other._first <= self._last

    @property
    def _first(self) -> float:
        return -1.0 if self.opened is None else self.opened.number

    @property
    def _last(self) -> float:
        return float("inf") if self.closed is None else self.closed.number


class Alarms:
    """Gathers alarms from events in order."""

    def __init__(self) -> None:
        self._by_episode: dict[str, Alarm] = {}

    def add(self, data: dict[str, Any], place: Place | None, *, by_operator: bool = False) -> None:
        """Take one event's data and the frame that caused it, or after which an operator did."""
        alarm = self._by_episode.get(data["episode"])
        if alarm is None:
            alarm = self._by_episode[data["episode"]] = Alarm([], place)
        if alarm.decided is None and (by_operator or data.get("operator_marking")):
            alarm.decided = len(alarm.told)
        alarm.told.append(data)
        if data["phase"] == Phase.CLOSED:
            alarm.closed = place

    def end(self, place: Place | None) -> None:
        """An operator replaced the baseline after the frame at `place`: what is open is over, but for what is about the ensemble."""
        for alarm in self._by_episode.values():
            if alarm.closed is None and not alarm.of_the_ensemble:
                alarm.closed = place

    @property
    def all(self) -> list[Alarm]:
        """In the order in which they opened."""
        return list(self._by_episode.values())


def as_told(
    agent: str, stream: str, changes: Iterable[EpisodeChange], observation: Observation, model: ModelIdentity
) -> list[dict[str, Any]]:
    """The alert events' data that `changes` would have been told with."""
    file = FileIdentity(stream, observation.ref.path, 0, 0)
    return [json.loads(alert(Origin(agent, file, 0, 0, 0), change, model).data) for change in changes]
