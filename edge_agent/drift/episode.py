"""An episode while it is open: what it seems to be, and when it is over."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.core.verdict import EpisodeChange, Kind, Phase
from edge_agent.drift.components import ACQUISITION
from edge_agent.drift.diagnosis import ACTIONS, ASSORTED, EXPLAINED, UNEXPLAINED, common_place, dispersion, nearest_change

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.core.verdict import FrameRef
    from edge_agent.drift.diagnosis import Diagnosis
    from edge_agent.drift.sample import Held
    from edge_agent.drift.tables import LotTable
    from edge_agent.drift.thresholds import Limits

CALM_FRAMES = 6
"""Ordinary frames in a row that end an episode."""
EVIDENCE_FRAMES = 6
"""Frames told as evidence when an episode opens; later changes may add up to two."""
CALM = 0.55
"""Share of the limit below which a mean of calm frames must lie in every component."""
SURER = 0.1
"""Gain in confidence that is worth telling, once, when a kind settles."""
ASSORTED_STILL = 2.0
"""Of frames that had nothing in common, so much of it shows that they still have not; see `edge_agent.drift.diagnosis.dispersion`."""
LINGERING = 0.4
"""An acquisition change still holds while the frames resemble the same change at this share of its strength."""
STILL_SHIFTED = 0.6
"""Share of the leading component's peak by which a sample is shifted while nothing has ended: chance has enlarged the peak."""
RECOVERED = 7.0
"""Logarithm of the odds from which the leading component counts as back: a lasting change is told to be over once in a thousand samples."""
LEAST_PEAK = 3.0
"""A change that added up over samples may show little in the one that raised the alarm."""
MILDEST, STRICTEST = 3.0, 1.5
"""The leading component must come back to half its peak, but need not come nearer than STRICTEST nor may it stay beyond MILDEST."""


@dataclass(slots=True)
class Episode:
    """One alert's life.

    Attributes:
        identity: derived from the frame that opened it.
        revision: changes told so far.
        kind, confidence: what it seems to be.
        onset, evidence: frames.
        reason: the sentence last told.
        place, sign, peak: the leading component, its direction, its largest size in standard deviations; 0 for a change that no sample's
            mean shows, such as one within a sample.
        change, strength: the known change of the acquisition it resembles; "" and 0 for none.
        settled: whether the kind has been confirmed.
        recovery: logarithm of the odds, from samples that are over, that the leading component is back, at least 0.
    """

    identity: str
    revision: int
    kind: Kind
    confidence: float
    onset: FrameRef
    evidence: list[FrameRef]
    reason: str
    place: int
    sign: int
    peak: float
    change: str = ""
    strength: float = 0.0
    settled: bool = False
    recovery: float = 0.0

    @staticmethod
    def name_for(frame: FrameRef) -> str:
        """Sixteen hexadecimal digits of the opening frame's SHA-256; its path may hold bytes that are no Unicode."""
        return hashlib.sha256(f"{frame.seq}\0{frame.path}\0{frame.frame_index}".encode("utf-8", "surrogatepass")).hexdigest()[:16]

    @property
    def is_of_acquisition(self) -> bool:
        """Whether frames that lack members, of which only the acquisition is judged, can tell its end."""
        return self.kind in {Kind.ACQUISITION_CHANGE, Kind.DETECTOR_FAULT} or (self.kind is Kind.UNDETERMINED and self.place in ACQUISITION)

    def told(self, phase: Phase) -> EpisodeChange:
        """The change to publish."""
        return EpisodeChange(
            episode=self.identity,
            phase=phase,
            revision=self.revision,
            kind=self.kind,
            confidence=self.confidence,
            onset=self.onset,
            evidence=tuple(self.evidence),
            reason=self.reason,
            action=ACTIONS[self.kind],
        )

    def revise(self, diagnosis: Diagnosis, reason: str, frame: FrameRef) -> EpisodeChange | None:
        """Take a new diagnosis; tell it when it changes the kind or, once, when it confirms it."""
        if diagnosis.kind in {self.kind, Kind.UNDETERMINED}:
            surer = diagnosis.confidence >= self.confidence + SURER
            news = diagnosis.kind is self.kind and not self.settled and surer
            self.settled = self.settled or news
        else:
            news, self.settled = True, False
        if not news:
            return None
        self.kind, self.confidence, self.reason = diagnosis.kind, diagnosis.confidence, reason
        self.change, self.strength = diagnosis.change, diagnosis.strength
        self.revision += 1
        if frame not in self.evidence:
            self.evidence = [*self.evidence[: EVIDENCE_FRAMES + 1], frame]
        return self.told(Phase.UPDATED)

    def close(self, reason: str) -> EpisodeChange:
        """Tell its end."""
        self.revision += 1
        self.reason = reason
        return self.told(Phase.CLOSED)

    def odds_of_recovery(self, score: float, relative: float) -> float:
        """What one sample says: the logarithm of its likelihood if the change is over, over that if it lasts.

        Args:
            score: the leading component's normal deviate in the sample so far.
            relative: standard deviation of a whole sample's mean over that of so few frames.
        """
        shift = STILL_SHIFTED * max(self.peak, LEAST_PEAK) * relative
        return shift * shift / 2 - shift * self.sign * score

    def is_recovered(self, score: float, relative: float) -> bool:
        """Whether samples since the change, the current one included, say that it is over."""
        return self.recovery + self.odds_of_recovery(score, relative) >= RECOVERED

    def note_sample(self, score: float, relative: float) -> None:
        """Take a sample that is over."""
        self.recovery = round(max(0.0, self.recovery + self.odds_of_recovery(score, relative)), 4)

    def is_over(self, recent: Sequence[Held], tables: Mapping[str, LotTable], limits: Limits) -> bool:
        """Whether the last CALM_FRAMES frames are ordinary again, one by one and in their mean."""
        last = [held for held in recent if held.whole or self.is_of_acquisition][-CALM_FRAMES:]
        if len(last) < CALM_FRAMES or any(abs(value) >= limits.z for held in last for value in held.vector):
            return False
        if dispersion(last, tables) > (ASSORTED_STILL if self.kind is Kind.UNRELATED else ASSORTED):
            return False
        table, mean, variances = common_place(last, tables)
        z = [value / math.sqrt(variance) for value, variance in zip(mean, variances, strict=True)]
        if max(abs(value) for value in z) >= CALM * limits.z:
            return False
        if self.change:  # a lot that varies much may hide what a steadier lot showed
            change, strength, explained, left = nearest_change(mean, variances, table)
            alike = change == self.change and strength >= LINGERING * self.strength
            return not (alike and explained >= EXPLAINED and left <= UNEXPLAINED)
        return self.sign * z[self.place] < max(STRICTEST, min(MILDEST, self.peak / 2))
