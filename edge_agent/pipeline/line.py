"""One stream's line through the pipeline, and one file's way along it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.pipeline.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edge_agent.core.calibration_scores import CalibrationScores
    from edge_agent.core.errors import FrameRejectedError
    from edge_agent.core.frame import Admission, Frame
    from edge_agent.core.naming import NameRule
    from edge_agent.core.prediction import Prediction
    from edge_agent.core.protocols import FrameReader, Judge, Predictor
    from edge_agent.drift import Calibration


@dataclass(slots=True)
class StreamLine:
    """What the pipeline needs of one stream; only an operator's order changes anything in it.

    Attributes:
        name: the stream's name.
        root: the folder its paths are relative to.
        sample, lot: how a frame's sample and declared lot are known.
        reader: decodes its files.
        predictor: answers its frames; streams may share one.
        judge: its drift detector.
        referral_threshold: entropy, nats, above which a frame is referred; None never refers.
        calibration_distances: each lot's calibration distances, for p-values; None without a calibration. A re-base leaves them: it says
            what is usual now, not that the network knows it.
        pictures: names of the files that will be made of an episode's evidence.
        calibration: the model's, which every re-base starts from; None without one.
        make_judge: makes a fresh judge for a baseline; None where the judge cannot be replaced.
        desk: what operators have said of the stream.
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
    calibration: Calibration | None = None
    make_judge: Callable[[Calibration], Judge] | None = None
    desk: Desk = field(default_factory=Desk)

    @property
    def guarantee(self) -> str:
        """What false-alarm rate is promised, or why none can be, and by which baseline if an operator made it."""
        standing = self.desk.standing
        if standing is None or standing.baseline is None:
            return self.judge.guarantee
        provisional = ", provisional until further samples confirm it" if standing.provisional else ""
        return f"{self.judge.guarantee} That is by the re-based baseline {standing.baseline}{provisional}."


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
