"""What the model makes of a file's frames, as the stream that holds the file would."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from edge_agent import inference
from edge_agent.config import ReferralSettings
from edge_agent.core.errors import ConfigurationError, EdgeAgentError, FrameRejectedError
from edge_agent.drift import load_calibration
from edge_agent.frames import DecodeLimits, DecoderLostError, DecoderProcess
from edge_agent.frames.pipe import Request
from edge_agent.uncertainty import referral_threshold, score, uniform_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from edge_agent.config import Settings
    from edge_agent.config.settings import StreamSettings
    from edge_agent.core.frame import Frame
    from edge_agent.core.prediction import Prediction, Score

SHOWN = "sem-real"
"""The model that is asked where nothing is configured."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """One frame of the file with its answer.

    Attributes:
        frame, prediction, score: what was read, answered and made of it.
        coverage: share of calibration frames that would not be referred.
        referral_threshold: the entropy above which a frame is referred for that, nats; None where the model has none.
    """

    frame: Frame
    prediction: Prediction
    score: Score
    coverage: float
    referral_threshold: float | None


def model_for(file: Path, settings: Settings | None) -> str:
    """The model that answers a file's frames: that of the stream whose folder holds it, else the only one that is configured.

    Where nothing is configured it is SHOWN. Raises ConfigurationError where streams that do not hold the file have different models.
    """
    if settings is None:
        return SHOWN
    nearest = _holding(file, settings)
    names = {stream.model.name for stream in settings.stream}
    if nearest is not None:
        return nearest.model.name
    if len(names) == 1:
        return names.pop()
    raise ConfigurationError(
        str(file), f"lies in no stream's folder, and streams have models {', '.join(sorted(names))}", "say --model NAME"
    )


def zone_for(file: Path, settings: Settings | None) -> ZoneInfo | None:
    """The time zone of the stream whose folder holds the file; None where there is none."""
    stream = _holding(file, settings) if settings is not None else None
    return ZoneInfo(stream.time_zone) if stream is not None else None


def _holding(file: Path, settings: Settings) -> StreamSettings | None:
    """The stream whose folder holds the file, the innermost of several."""
    where = _real(file)
    holding = [stream for stream in settings.stream if where.is_relative_to(_real(stream.path))]
    return max(holding, key=lambda stream: len(_real(stream.path).parts), default=None)


def _real(path: Path) -> Path:
    """Without links; one that leads in a circle stays as it is, where Path.resolve raises RuntimeError."""
    return Path(os.path.realpath(path))


def inspect_file(
    path: Path, model: str, model_dirs: Sequence[Path] = (), time_zone: tzinfo | None = None, first: int = 0, end: int = 1 << 31
) -> list[Inspected]:
    """Decode frames from `first` to before `end` of a file in a process and ask `model`, a name or a model's folder.

    Raises FrameRejectedError or ModelError. Frames are referred as in a stream that says nothing of referral.
    """
    named = Path(model)
    folder = named if (named / inference.MANIFEST_NAME).is_file() else inference.find_model(model, model_dirs)
    manifest = inference.load_manifest(folder)
    distances = load_calibration(folder / manifest.calibration.file).distances if manifest.calibration else None
    coverage = ReferralSettings().coverage or 1.0
    threshold = _referral_threshold(manifest, coverage)
    frames = [frame for frame in _decode(path, time_zone, first) if first <= frame.frame_index < end]
    predictions = asyncio.run(_ask(folder, frames))
    return [
        Inspected(frame, prediction, score(prediction, threshold, distances, uniform_of(frame.content_hash)), coverage, threshold)
        for frame, prediction in zip(frames, predictions, strict=True)
    ]


def _decode(path: Path, time_zone: tzinfo | None, first: int) -> Sequence[Frame]:
    """A portion of the file's frames; the file may be a bad one."""
    process = DecoderProcess()
    try:
        portion = process.decode(Request(str(path), path.name, DecodeLimits(), time_zone, first))
    except DecoderLostError as lost:
        raise EdgeAgentError(path.name, f"the decoder was lost over it ({lost})", "exclude the file, or look at it elsewhere") from None
    finally:
        process.stop()
    if isinstance(portion, FrameRejectedError):
        raise portion
    return portion.frames


def _referral_threshold(manifest: inference.Manifest, coverage: float) -> float | None:
    """The entropy that refers a frame at `coverage`, nats; None where that was not measured."""
    try:
        return referral_threshold(manifest.coverage_points, coverage)
    except ValueError:
        return None


async def _ask(folder: Path, frames: list[Frame]) -> list[Prediction]:
    predictor = inference.EmbeddedPredictor(folder, with_maps=True)
    await predictor.start()
    try:
        return await predictor.predict(frames)
    finally:
        await predictor.stop()
