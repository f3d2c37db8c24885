"""Steps 3 to 5 for files of the past: read, predicted and scored as the agent does, with no journal and nobody told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.core.errors import FrameRejectedError, PredictorUnavailableError
from edge_agent.core.frame import Admission, SettleOutcome
from edge_agent.pipeline.asking import answer
from edge_agent.pipeline.conclude import observe
from edge_agent.pipeline.line import Job

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from edge_agent.core.frame import FileIdentity, Frame
    from edge_agent.core.portion import RefusedFrame
    from edge_agent.core.verdict import Observation
    from edge_agent.pipeline.line import StreamLine


@dataclass(frozen=True, slots=True)
class ReadFile:
    """One file's frames, or those of a portion of a stack, with their pixels, and what a judge would see of each.

    Attributes:
        file: its identity.
        frames, observations: of equal length; empty when the file was rejected.
        members_expected: members that would have answered had none been left out.
        rejected: why it would be quarantined, or None.
        refused: frames that would be quarantined while others of the file can be used.
        more: whether a further portion of the file follows.
    """

    file: FileIdentity
    frames: tuple[Frame, ...] = ()
    observations: tuple[Observation, ...] = ()
    members_expected: int = 0
    rejected: FrameRejectedError | None = None
    refused: tuple[RefusedFrame, ...] = ()
    more: bool = False


async def read_files(line: StreamLine, files: Iterable[tuple[int, FileIdentity]]) -> AsyncIterator[ReadFile]:
    """Read and predict `files` (sequence number, identity) one after the other; the line's judge is left alone.

    Raises PredictorUnavailableError where the pipeline would wait, and EdgeAgentError when no decoder starts.
    """
    for seq, file in files:
        job: Job | None = Job(Admission(seq, file, 0, file.mtime_ns, SettleOutcome.COMPLETE, ""), line, 0)
        while job is not None:
            yield await _read_job(job)
            job = job.more


async def _read_job(job: Job) -> ReadFile:
    file, line = job.admission.file, job.line
    try:
        job.take(await line.reader.read(str(line.root / file.path), file.path, job.witness[0] if job.witness else 0))
        pixels = {frame.frame_index: frame for frame in job.frames}
        await answer(line.predictor, [job], _give_up)
    except FrameRejectedError as rejected:
        job.rejected = rejected
    if job.rejected is not None:
        return ReadFile(file, rejected=job.rejected)
    frames = tuple(pixels[frame.frame_index] for frame in job.frames)
    observations = tuple(observe(job, frame, prediction) for frame, prediction in zip(job.frames, job.predictions, strict=True))
    return ReadFile(file, frames, observations, line.predictor.members, refused=tuple(job.refused), more=job.more is not None)


def _give_up(reason: str) -> None:
    """Nobody waits for a model beside a replay."""
    if reason:
        raise PredictorUnavailableError("the model", reason, "try again when it answers")
