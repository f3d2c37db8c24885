"""What the judge sees of a frame, and what it concludes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from edge_agent.core.frame import Acquisition, AcquisitionStatistics
    from edge_agent.core.prediction import Score


class Kind(StrEnum):
    """What an episode seems to be; the values stand in events and metric labels."""

    ACQUISITION_CHANGE = "acquisition_change"
    UNSEEN_LOT = "unseen_lot"
    UNRELATED = "unrelated"
    DETECTOR_FAULT = "detector_fault"
    DEGRADED = "degraded"
    UNDETERMINED = "undetermined"


class DriftState(StrEnum):
    """A stream's standing; the values stand in events, and their order is the metric's value."""

    UNCALIBRATED = "uncalibrated"
    IN_CONTROL = "in_control"
    ALARM = "alarm"
    ACKNOWLEDGED = "acknowledged"
    """In alarm still, but an operator has seen it: nobody is to be called."""


class Cause(StrEnum):
    """Why a frame was not judged; the values stand in metric labels."""

    NO_CALIBRATION = "no_calibration"
    LOT = "lot"
    SETTINGS = "settings"


class Phase(StrEnum):
    """A moment in an episode's life."""

    OPENED = "opened"
    UPDATED = "updated"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class FrameRef:
    """Points at one frame in a way that survives a restart.

    Attributes:
        seq: sequence number of its file.
        path: relative to the stream.
        frame_index: place within the file.
        sample: the sample it belongs to, or None.
        at: the frame's time, UTC.
    """

    seq: int
    path: str
    frame_index: int
    sample: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Observation:
    """All a judge may use of one frame."""

    ref: FrameRef
    score: Score
    statistics: AcquisitionStatistics
    acquisition: Acquisition
    declared_lot: str | None


class Marking(StrEnum):
    """What an operator says of an episode; the values stand in events."""

    ACKNOWLEDGED = "acknowledged"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Mark:
    """An operator's word on an episode: it was seen and understood, or it was a false alarm."""

    marking: Marking
    who: str
    why: str


@dataclass(frozen=True, slots=True)
class EpisodeChange:
    """An episode opened, changed or closed.

    Attributes:
        episode: identifier, derived from the stream and the frame that opened it.
        phase: opened, updated or closed.
        revision: 0 when opened, one more with each change.
        kind: what it seems to be.
        confidence: in [0, 1], of the kind.
        onset: the frame at which the change is thought to have begun.
        evidence: the frames that carry the evidence, at most 8.
        reason: one sentence a person reads: which channel left its normal range, by how much.
        action: what to do.
        mark: an operator's word that still holds for it.
    """

    episode: str
    phase: Phase
    revision: int
    kind: Kind
    confidence: float
    onset: FrameRef
    evidence: tuple[FrameRef, ...]
    reason: str
    action: str
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judge's conclusion after one frame.

    Attributes:
        statistic: the detector's statistic, larger is stranger; None when uncalibrated.
        threshold: the value at which it alarms; None when uncalibrated.
        state: the stream's standing.
        changes: episode changes this frame caused, in order.
        stratum: the settings of the acquisition it was judged at, "" when the frame does not say.
        not_judged: why it was not judged, "" when it was.
        cause: the same as one word; None when it was judged.
    """

    statistic: float | None
    threshold: float | None
    state: DriftState
    changes: tuple[EpisodeChange, ...] = ()
    stratum: str = ""
    not_judged: str = ""
    cause: Cause | None = None
