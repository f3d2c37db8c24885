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

WINDOW = 8
"""Frames of the recent past that are looked at."""
FRAMES = 3
"""So many of them that lack members open an episode, in a row or not; fewer, and so many whole ones in a row, close it.

A stale member opens it at once.
"""
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
        lately: which of the last WINDOW frames lacked members, a bit each, the newest in bit 0.
        told: every member the open episode has named; empty when none is open.
        revision: changes told so far.
        onset: the first frame that lacked members since WINDOW frames in a row did not, that of the open episode while there is one.
        identity: the open episode's identifier.
        reason: what the last frame that lacked members says; "" when no episode is open.
    """

    lately: int = 0
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
        self.lately = (self.lately << 1 | is_lacking(score)) % (1 << WINDOW)
        often = self.lately.bit_count() >= FRAMES
        if not is_lacking(score):
            if not self.is_open:
                self.onset = self.onset if self.lately else None
                return ()
            return () if often or self.lately % (1 << FRAMES) else (self._close(frame),)
        self.onset = self.onset or frame
        absent = (*score.members_missing, *score.members_stale)
        if not self.is_open and (score.members_stale or often):
            # another prefix than Episode.name_for's: both may open at one frame
            name = f"ensemble\0{frame.seq}\0{frame.path}\0{frame.frame_index}".encode("utf-8", "surrogatepass")
            self.identity = hashlib.sha256(name).hexdigest()[:16]
            self.revision, self.told, self.reason = 0, absent, reason_of(score)
            return (self._change(Phase.OPENED, frame),)
        if self.is_open:
            self.reason = reason_of(score)  # some may be back: that is no further alert, but whoever asks is told
        if self.is_open and not set(absent) <= set(self.told):
            self.revision += 1
            self.told = (*self.told, *(name for name in absent if name not in self.told))
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
        """The state, for `from_rows`, without the sentence that never changes."""
        onset = None if self.onset is None else references.number(self.onset)
        return [self.lately, list(self.told), self.revision, onset, self.identity, self.reason.removesuffix(CONSEQUENCE)]

    @classmethod
    def from_rows(cls, rows: list[Any], frames: References) -> Degradation:
        """Continue from what `to_rows` gave."""
        lately, told, revision, onset, identity, reason = rows
        return cls(
            lately, tuple(told), revision, None if onset is None else frames[onset], identity, f"{reason}{CONSEQUENCE}" if reason else ""
        )


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
