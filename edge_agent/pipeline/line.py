"""One stream's line through the pipeline, and one file's way along it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge_agent.core.calibration_scores import CalibrationScores
    from edge_agent.core.errors import FrameRejectedError
    from edge_agent.core.frame import Admission, Frame
    from edge_agent.core.naming import NameRule
    from edge_agent.core.prediction import Prediction
    from edge_agent.core.protocols import FrameReader, Judge, Predictor


@dataclass(frozen=True, slots=True)
class StreamLine:
    """What the pipeline needs of one stream.

    Attributes:
        name: the stream's name.
        root: the folder its paths are relative to.
        sample, lot: how a frame's sample and declared lot are known.
        reader: decodes its files.
        predictor: answers its frames; streams may share one.
        judge: its drift detector.
        referral_threshold: entropy, nats, above which a frame is referred; None never refers.
        calibration_distances: each lot's calibration distances, for p-values; None without a calibration.
        pictures: names of the files that will be made of an episode's evidence.
    """

    name: str
    root: Path
    sample: NameRule
    lot: NameRule
    reader: FrameReader
    predictor: Predictor
    judge: Judge
    referral_threshold: float | None
    calibration_distances: Mapping[str, CalibrationScores] | None
    pictures: frozenset[str] = frozenset()


@dataclass(slots=True)
class Job:
    """One file on its way.

    Attributes:
        admission: its place in the order.
        line: its stream's line.
        generation: as admitted, or one less when the content proved to be the same or a grown stack.
        frames: what was decoded.
        known_frames: how many of the first frames were judged before and are not told again.
        predictions: the answers to the frames from `known_frames` on.
        rejected: why the file goes to quarantine, or None.
        read_s: seconds it took to decode.
        done: whether it can be concluded.
    """

    admission: Admission
    line: StreamLine
    generation: int
    frames: list[Frame] = field(default_factory=list)
    known_frames: int = 0
    predictions: list[Prediction] = field(default_factory=list)
    rejected: FrameRejectedError | None = None
    read_s: float = 0.0
    done: bool = False

    @property
    def new_frames(self) -> int:
        """Frames that have to be predicted and judged."""
        return len(self.frames) - self.known_frames
