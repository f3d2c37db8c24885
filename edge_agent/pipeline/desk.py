"""What operators have said of one stream, and how its next frames heed it.

Acknowledging an episode means: it was seen and understood. The condition goes on, and the episode stays open until it ends; but it calls
nobody any more, until it ends or turns into another kind, which nobody has acknowledged. A false alarm is silenced in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from edge_agent.core.verdict import DriftState, Kind, Mark, Marking, Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge_agent.core.verdict import EpisodeChange, Verdict
    from edge_agent.journal import Hold, Standing


@dataclass(frozen=True, slots=True)
class _Told:
    """The newest that was told of an open episode; `mark` still holds for it."""

    revision: int
    kind: Kind
    mark: Mark | None


class Desk:
    """One stream's standing orders; what it knows of episodes is what the journal knows, so a restart changes nothing.

    Args:
        standing: the stream's baseline and hold.
        open_episodes: the newest event's data of each open episode.
    """

    def __init__(self, standing: Standing | None = None, open_episodes: Iterable[dict[str, Any]] = ()) -> None:
        self.standing = standing
        self._told: dict[str, _Told] = {}
        for data in open_episodes:
            self.note(data)

    @property
    def hold(self) -> Hold | None:
        """The hold on the stream's predictions."""
        return self.standing.hold if self.standing else None

    def is_held(self, now_ns: int) -> bool:
        """Whether a prediction made now is not to be relied on."""
        hold = self.hold
        return hold is not None and (hold.until_ns is None or now_ns < hold.until_ns)

    def note(self, data: dict[str, Any]) -> None:
        """Take an alert's data for the newest word on its episode."""
        if data["phase"] == Phase.CLOSED:
            self._told.pop(data["episode"], None)
            return
        marking = data.get("operator_marking")
        mark = Mark(Marking(marking), data["operator"], data["operator_reason"]) if marking else None
        self._told[data["episode"]] = _Told(data["revision"], Kind(data["kind"]), mark)

    def heed(self, verdict: Verdict) -> Verdict:
        """The verdict as it is to be told: without what an operator silenced, revisions counting on from what was told."""
        changes = tuple(told for change in verdict.changes if (told := self._heed(change)) is not None)
        state = verdict.state
        if state is DriftState.ALARM and self._all_acknowledged():
            state = DriftState.ACKNOWLEDGED
        return verdict if changes == verdict.changes and state is verdict.state else replace(verdict, changes=changes, state=state)

    def _heed(self, change: EpisodeChange) -> EpisodeChange | None:
        if change.phase is Phase.OPENED:
            self._forget_others_like(change)
        told = self._told.get(change.episode)
        if told is None or change.phase is Phase.OPENED:
            if change.phase is not Phase.CLOSED:
                self._told[change.episode] = _Told(change.revision, change.kind, None)
            return change
        if change.phase is Phase.CLOSED:
            del self._told[change.episode]
            return replace(change, revision=told.revision + 1, mark=told.mark)
        if told.mark is not None and change.kind is told.kind:
            return None
        self._told[change.episode] = _Told(told.revision + 1, change.kind, None)
        return replace(change, revision=told.revision + 1)

    def _forget_others_like(self, opened: EpisodeChange) -> None:
        """A judge has one episode of its frames and one of its ensemble at a time: an older one went with a judge that was replaced."""
        of_ensemble = opened.kind is Kind.DEGRADED
        self._told = {episode: told for episode, told in self._told.items() if (told.kind is Kind.DEGRADED) is not of_ensemble}

    def _all_acknowledged(self) -> bool:
        """Whether every episode that the frames caused is silenced; one about the ensemble is not theirs."""
        marks = [told.mark for told in self._told.values() if told.kind is not Kind.DEGRADED]
        return bool(marks) and all(marks)

    def calling(self, open_kinds: Sequence[Kind]) -> list[Kind]:
        """Of the judge's open kinds, those that call somebody."""
        left = list(open_kinds)
        for told in self._told.values():
            if told.mark is not None and told.kind in left:
                left.remove(told.kind)
        return left
