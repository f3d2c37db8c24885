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
    from edge_agent.core.portion import Portion, RefusedFrame
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


@dataclass(slots=True, eq=False)
class Job:
    """One file on its way, or one portion of a stack.

    Attributes:
        admission: its place in the order.
        line: its stream's line.
        generation: as admitted, or less when the content proved to be the same or a grown stack.
        frames, refused: what was decoded and is new, in the order of the file.
        predictions: the answers to `frames`.
        rejected: why the file, or the rest of it, goes to quarantine, or None.
        read_s: seconds it took to decode.
        done: whether it can be concluded.
        seen_before: whether frames of the file may have been told of before.
        witness: place and content hash of the last frame that was told of: the file is the same as long as it still holds that; None
            when none was.
        portion: its number among the file's portions, from 0.
        begun: whether its reading was begun.
        scored: whether frames of earlier portions were scored.
        more: the file's next portion, or None.
    """

    admission: Admission
    line: StreamLine
    generation: int
    frames: list[Frame] = field(default_factory=list)
    refused: list[RefusedFrame] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)
    rejected: FrameRejectedError | None = None
    read_s: float = 0.0
    done: bool = False
    seen_before: bool = False
    witness: tuple[int, str] | None = None
    portion: int = 0
    begun: bool = True
    scored: bool = False
    more: Job | None = None

    def take(self, portion: Portion) -> None:
        """Take over what is new of `portion`; where that is not the file's end, `more` stands for the rest."""
        told = self.witness[0] if self.witness else -1
        self.frames = [frame for frame in portion.frames if frame.frame_index > told]
        self.refused = [frame for frame in portion.refused if frame.frame_index > told]
        if portion.next_first is not None:
            scored = self.scored or bool(self.frames)
            self.more = Job(
                self.admission,
                self.line,
                self.generation,
                witness=max(portion.contents.items()),
                portion=self.portion + 1,
                begun=False,
                scored=scored,
            )
