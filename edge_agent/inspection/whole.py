"""One file with all that is to be said of it: what was understood, and the model's answers where one could be asked."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge_agent.core.errors import EdgeAgentError, FrameRejectedError
from edge_agent.frames import Completeness, DecodeLimits, completeness
from edge_agent.frames.understanding import Question, Understood, UnderstoodFrame, understand
from edge_agent.inspection.maps import listed
from edge_agent.inspection.model import Inspected, inspect_file, model_for, zone_for
from edge_agent.watch.patterns import PathFilter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.config import Settings


@dataclass(frozen=True, slots=True)
class Inspection:
    """A file, looked at.

    Attributes:
        file: which.
        understood, frames: see `understand`; some of the file's frames.
        complete: what its format says.
        answers: the model's, by frame.
        unasked: why no model was asked although none was declined, or "".
    """

    file: Path
    understood: Understood
    frames: tuple[UnderstoodFrame, ...]
    complete: Completeness
    answers: dict[int, Inspected] = field(default_factory=dict)
    unasked: str = ""

    @property
    def left(self) -> int:
        """How many frames of the file are not among these."""
        return self.understood.count - len(self.frames)


def inspect(file: Path, settings: Settings | None, model: str | None = None, *, ask: bool = True, frame: int | None = None) -> Inspection:
    """Look at a file, or at one frame of it, and ask a model unless `ask` is false.

    Raises FrameRejectedError for a file of which nothing is understood; errors of a model that was named, while others only leave the
    file without answers; EdgeAgentError for a frame that there is not.
    """
    _checked(file)
    question = Question(str(file), file.name, DecodeLimits(), zone_for(file, settings), frame or 0)
    try:
        understood, frames = understand(question)
    except FrameRejectedError as refused:
        image = _image_of(file) if refused.cause == "unsupported" else None
        if image is None:
            raise
        raise EdgeAgentError(file.name, f"is the side-car of {image}", f"inspect {image}: what it says is shown with it") from None
    if frame is not None:
        frames = frames[:1]
        if not frames:
            last = understood.count - 1
            raise EdgeAgentError(f"--frame {frame}", f"{file.name} holds {understood.count} frames", f"say 0 to {last}")
    try:
        complete = completeness(file)
    except OSError:
        complete = "unknown"
    seen = Inspection(file, understood, frames, complete)
    if not ask or all(one.refused is not None for one in frames):
        return seen
    try:
        asked = model or model_for(file, settings)
        answers = inspect_file(
            file, asked, settings.agent.model_dirs if settings else (), question.time_zone, question.first, question.first + len(frames)
        )
    except EdgeAgentError as error:
        if model is not None:
            raise
        return dataclasses.replace(seen, unasked=str(error))
    return dataclasses.replace(seen, answers={one.frame.frame_index: one for one in answers})


def _checked(file: Path) -> None:
    """Raise EdgeAgentError for what is likelier mistyped than gone."""
    if not os.path.lexists(file):
        raise EdgeAgentError(str(file), "there is no such file that you may see", "check its path")
    if file.is_dir():
        raise EdgeAgentError(str(file), "is a folder", "name a file in it")
    try:
        file.stat()
    except OSError as error:
        way_out = "name the file that the link should lead to" if file.is_symlink() else "check its path"
        raise EdgeAgentError(str(file), f"cannot be looked at ({error.strerror or error})", way_out) from None


def _image_of(file: Path) -> str | None:
    """The image beside the file whose side-car it is."""
    return PathFilter(("*",), ()).image_of(file.name, lambda name: (file.parent / name).is_file())


def as_plain(seen: Inspection) -> Iterator[dict[str, Any]]:
    """Each frame for JSON, with what is to be said of its file."""
    for frame in seen.frames:
        told = {
            "file": str(seen.file),
            "format": seen.understood.form,
            "library": seen.understood.library,
            "rule": seen.understood.rule,
            "completeness": seen.complete,
            "growing": seen.understood.growing,
            "frame_count": seen.understood.count,
            "frame_index": frame.frame_index,
            "stored_shape": list(frame.shape),
            "dtype": frame.dtype,
            "bits": frame.bits,
            "bar_rows": frame.bar_rows,
            "values": [frame.least, frame.greatest],
            "axis": None if frame.axis is None else dataclasses.asdict(frame.axis),
            "acquisition": {key: value for key, value in dataclasses.asdict(frame.acquisition).items() if value not in (None, {})},
            "sources": frame.sources,
            "side_car": frame.side_car,
            "refused": None if frame.refused is None else dataclasses.asdict(frame.refused),
        }
        yield told | _answered(seen.answers.get(frame.frame_index))


def _answered(answer: Inspected | None) -> dict[str, Any]:
    if answer is None:
        return {}
    score, prediction = answer.score, answer.prediction
    return {
        "shape": list(answer.frame.pixels.shape),
        "content_hash": answer.frame.content_hash,
        "statistics": dataclasses.asdict(answer.frame.statistics),
        "score": dataclasses.asdict(score) | {"mutual_information": score.mutual_information if score.members_answering > 1 else None},
        "referral_coverage": answer.coverage,
        "referral_threshold": answer.referral_threshold,
        "distance_kind": prediction.distance_kind,
        "members_expected": prediction.members_expected,
        "local_maps": None if prediction.local_maps is None else listed(prediction.local_maps),
        "model": dataclasses.asdict(prediction.model),
    }
