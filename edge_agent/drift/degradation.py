"""Whether the ensemble is whole: an episode of its own, beside whatever the judge thinks of the frames."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_agent.core.verdict import EpisodeChange, Kind, Phase
from edge_agent.drift.diagnosis import ACTIONS

if TYPE_CHECKING:
    from edge_agent.core.prediction import Score
    from edge_agent.core.verdict import FrameRef, Observation
    from edge_agent.drift.references import References

FRAMES = 3
"""Frames in a row that open an episode when they lack members, and that close it when they do not; a stale member opens it at once."""
CONFIDENCE = 0.99
CONSEQUENCE = (
    "Scores of fewer members are not comparable with the calibration: frames are scored and told, without p-value, "
    "and only their acquisition is judged."
)


def is_lacking(score: Score) -> bool:
    """Whether members were left out of a frame's score."""
    return bool(score.members_missing or score.members_stale)


@dataclass(slots=True)
class Degradation:
    """One stream's ensemble over its frames; pure and serialisable, as the judge that holds it.

    Attributes:
        lacking, whole: frames in a row up to now that lacked members, and that did not; counted up to FRAMES.
        told: every member the open episode has named; empty when none is open.
        revision: changes told so far.
        onset: the first frame in a row that lacked members, that of the open episode while there is one.
        identity: the open episode's identifier.
        reason: the sentence last told; "" when no episode is open.
    """

    lacking: int = 0
    whole: int = 0
    told: tuple[str, ...] = ()
    revision: int = 0
    onset: FrameRef | None = None
    identity: str = ""
    reason: str = ""

    @property
    def is_open(self) -> bool:
        """Whether an episode is open."""
        return bool(self.identity)

    def update(self, observation: Observation) -> tuple[EpisodeChange, ...]:
        """Take one frame, in sequence order."""
        score, frame = observation.score, observation.ref
        if not is_lacking(score):
            self.lacking, self.whole = 0, min(self.whole + 1, FRAMES)
            if not self.is_open:
                self.onset = None
                return ()
            return (self._close(frame),) if self.whole >= FRAMES else ()
        self.lacking, self.whole = min(self.lacking + 1, FRAMES), 0
        self.onset = self.onset or frame
        absent = (*score.members_missing, *score.members_stale)
        if not self.is_open and (score.members_stale or self.lacking >= FRAMES):
            # another prefix than Episode.name_for's: both may open at one frame
            self.identity = hashlib.sha256(f"ensemble\0{frame.seq}\0{frame.path}\0{frame.frame_index}".encode()).hexdigest()[:16]
            self.revision, self.told, self.reason = 0, absent, reason_of(score)
            return (self._change(Phase.OPENED, frame),)
        if self.is_open and not set(absent) <= set(self.told):
            self.revision += 1
            self.told, self.reason = (*self.told, *(name for name in absent if name not in self.told)), reason_of(score)
            return (self._change(Phase.UPDATED, frame),)
        return ()

    def _close(self, frame: FrameRef) -> EpisodeChange:
        self.revision += 1
        self.reason = f"Every member answers again ({', '.join(self.told)})."
        change = self._change(Phase.CLOSED, frame)
        self.told, self.onset, self.identity, self.reason = (), None, "", ""
        return change

    def _change(self, phase: Phase, frame: FrameRef) -> EpisodeChange:
        onset = self.onset or frame
        return EpisodeChange(
            episode=self.identity,
            phase=phase,
            revision=self.revision,
            kind=Kind.DEGRADED,
            confidence=CONFIDENCE,
            onset=onset,
            evidence=(onset,) if onset == frame else (onset, frame),
            reason=self.reason,
            action=ACTIONS[Kind.DEGRADED],
        )

    def to_rows(self, references: References) -> list[Any]:
        """The state, for `from_rows`."""
        onset = None if self.onset is None else references.number(self.onset)
        return [self.lacking, self.whole, list(self.told), self.revision, onset, self.identity, self.reason]

    @classmethod
    def from_rows(cls, rows: list[Any], frames: References) -> Degradation:
        """Continue from what `to_rows` gave."""
        lacking, whole, told, revision, onset, identity, reason = rows
        return cls(lacking, whole, tuple(told), revision, None if onset is None else frames[onset], identity, reason)


def reason_of(score: Score) -> str:
    """Who is left out and what that means, for people."""
    absent = len(score.members_missing) + len(score.members_stale)
    parts = [
        f"{', '.join(names)} {said}"
        for names, said in (
            (score.members_missing, "missing (no finite probabilities)"),
            (score.members_stale, "stale (the canary's known answer is not given)"),
        )
        if names
    ]
    return f"{score.members_answering} of {score.members_answering + absent} members answer: {'; '.join(parts)}. {CONSEQUENCE}"
