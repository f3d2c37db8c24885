"""From a file's answers to what the journal keeps and the world is told; pure but for the judge's state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.core.clock import utc_of
from edge_agent.core.frame import SettleOutcome
from edge_agent.core.verdict import FrameRef, Observation
from edge_agent.journal import FinishedFile, FrameRecord, Outcome
from edge_agent.publish import Origin, alert, frame_companion, frame_quarantined, frame_scored
from edge_agent.uncertainty import score, uniform_of

if TYPE_CHECKING:
    from edge_agent.core.event import Event
    from edge_agent.core.frame import Frame
    from edge_agent.core.prediction import Prediction
    from edge_agent.core.verdict import Verdict
    from edge_agent.pipeline.line import Job


@dataclass(frozen=True, slots=True)
class JudgedFrame:
    """One frame's score and verdict, and whether its prediction is held, for the metrics."""

    observation: Observation
    verdict: Verdict
    held: bool


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What is to be committed for one file.

    Attributes:
        file: the journal's record.
        events: what the world is told, in order.
        frames: its new frames as judged, in order.
    """

    file: FinishedFile
    events: tuple[Event, ...]
    frames: tuple[JudgedFrame, ...] = ()


def conclude(agent: str, job: Job, now_ns: int) -> Conclusion:
    """Score and judge `job`'s frames, in order, and quarantine those that were refused; a file that was rejected is quarantined."""
    admission = job.admission
    origin = Origin(agent, admission.file, job.generation, admission.settled_at_ns, now_ns)
    if (rejected := job.rejected) is not None:
        file = FinishedFile(admission, Outcome.QUARANTINED, job.generation, cause=rejected.cause, detail=str(rejected))
        return Conclusion(file, (frame_quarantined(origin, rejected),))
    if admission.outcome is SettleOutcome.COMPANION:
        file = FinishedFile(admission, Outcome.COMPANION, job.generation, detail=admission.detail)
        return Conclusion(file, (frame_companion(origin, admission.detail),))
    told: list[tuple[int, tuple[Event, ...]]] = [(frame.frame_index, (frame_quarantined(origin, frame),)) for frame in job.refused]
    records: list[FrameRecord] = []
    judged: list[JudgedFrame] = []
    for frame, prediction in zip(job.frames, job.predictions, strict=True):
        observation = observe(job, frame, prediction)
        verdict = job.line.desk.heed(job.line.judge.update(observation))
        held = job.line.desk.is_held(now_ns)
        scored = frame_scored(origin, frame, observation, prediction, verdict, read_s=job.read_s, held=held)
        alerts = (alert(origin, change, prediction.model, job.line.pictures) for change in verdict.changes)
        told.append((frame.frame_index, (scored, *alerts)))
        records.append(FrameRecord(frame.frame_index, frame.content_hash, scored.id, scored.data, observation.score.field_entropy))
        judged.append(JudgedFrame(observation, verdict, held))
    outcome, cause, detail = _outcome(job)
    file = FinishedFile(admission, outcome, job.generation, tuple(records), tuple(job.refused), cause, detail)
    in_order = sorted(told, key=lambda of_frame: of_frame[0])
    return Conclusion(file, tuple(event for _, events in in_order for event in events), tuple(judged))


def _outcome(job: Job) -> tuple[Outcome | None, str | None, str | None]:
    """What became of the file, and cause and detail where no frame of it can be used."""
    if job.more is not None:
        return None, None, None
    if job.frames or job.scored:
        return Outcome.SCORED, None, None
    if job.refused:
        return Outcome.QUARANTINED, job.refused[0].cause, f"{job.admission.file.path}: {job.refused[0].reason}"
    return Outcome.REPEAT, None, None


def observe(job: Job, frame: Frame, prediction: Prediction) -> Observation:
    """All that a judge may use of one of the file's frames."""
    file = job.admission.file
    taken = frame.acquisition.acquired_at or utc_of(file.mtime_ns)
    return Observation(
        ref=FrameRef(job.admission.seq, file.path, frame.frame_index, job.line.sample.read(file.path, frame.acquisition), taken),
        score=score(prediction, job.line.referral_threshold, job.line.calibration_distances, uniform_of(frame.content_hash)),
        statistics=frame.statistics,
        acquisition=frame.acquisition,
        declared_lot=job.line.lot.read(file.path, frame.acquisition),
    )
