"""Asks the model, with patience: a model that is away keeps frames waiting and blames none of them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.core.errors import FrameRejectedError, ModelError, PredictorUnavailableError
from edge_agent.core.portion import RefusedFrame

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.core.frame import Frame
    from edge_agent.core.prediction import Prediction
    from edge_agent.core.protocols import Predictor
    from edge_agent.pipeline.line import Job

FRAMES_A_REQUEST = 4
"""Frames that are predicted together at most."""
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 1.0
"""Pauses between two tries double up to this one: a model that is back is asked within 2 s."""
NO_PIXELS = np.zeros((0, 0), np.uint8)
"""What is left of a frame's pixels once it is predicted."""


async def answer(predictor: Predictor, jobs: list[Job], waits_for: Callable[[str], None]) -> None:
    """Predict all frames of `jobs`; a frame that no member answers is refused, and only that frame.

    `waits_for` hears why frames wait, and "" once they do no more.
    """
    try:
        await _answer(predictor, jobs, waits_for)
    except FrameRejectedError:
        for job in jobs:  # one frame spoils a request: ask again frame by frame
            await _answer_each(predictor, job, waits_for)


async def _answer(predictor: Predictor, jobs: list[Job], waits_for: Callable[[str], None]) -> None:
    frames = [frame for job in jobs for frame in job.frames]
    answers: list[Prediction] = []
    for start in range(0, len(frames), FRAMES_A_REQUEST):
        answers += await _patiently(predictor, frames[start : start + FRAMES_A_REQUEST], waits_for)
    for job in jobs:
        job.predictions, answers = answers[: len(job.frames)], answers[len(job.frames) :]
        job.frames = [replace(frame, pixels=NO_PIXELS) for frame in job.frames]


async def _answer_each(predictor: Predictor, job: Job, waits_for: Callable[[str], None]) -> None:
    answered: list[Frame] = []
    job.predictions = []
    for frame in job.frames:
        try:
            job.predictions += await _patiently(predictor, [frame], waits_for)
        except FrameRejectedError as rejected:
            if frame.frame_count == 1:
                job.rejected = FrameRejectedError(job.admission.file.path, rejected.cause, rejected.reason, rejected.remedy)
            else:
                refused = RefusedFrame(frame.frame_index, frame.content_hash, rejected.cause, rejected.reason, rejected.remedy)
                job.refused.append(refused)
        else:
            answered.append(replace(frame, pixels=NO_PIXELS))
    job.frames = answered


async def _patiently(predictor: Predictor, frames: list[Frame], waits_for: Callable[[str], None]) -> list[Prediction]:
    wait_s = FIRST_WAIT_S
    while True:
        try:
            answers = await predictor.predict(frames)
        except (PredictorUnavailableError, ModelError) as error:
            waits_for(str(error))
            await asyncio.sleep(wait_s)
            wait_s = min(LONGEST_WAIT_S, wait_s * 2)
        else:
            waits_for("")
            return answers
