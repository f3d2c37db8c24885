"""Scored frames of the virtual microscope, kept by what made them: each visit is rendered and answered once, ever."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.core.frame import Acquisition, AcquisitionStatistics, Frame
from edge_agent.core.prediction import Score
from edge_agent.frames import content_hash, measure
from edge_agent.inference import EmbeddedPredictor, load_manifest
from edge_agent.simulate import MICROSCOPE_VERSION, VirtualMicroscope, unrelated_picture
from edge_agent.uncertainty import score

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

SEED = 2021
"""The microscope's: the model's own, so that its lots are the ones the network knows; only the samples are others."""
FIRST_SAMPLE = 1000
"""Samples from here on stand on no side of the recipe: no network saw them, no calibration holds them."""
FULL_SCALE = 255
FRAME_PX = 256


@dataclass(frozen=True, slots=True)
class Visit:
    """The stage's visit to one sample.

    Attributes:
        lot: true lot, "" for pictures that show none.
        sample: its number.
        frames: how many are taken.
        filament: strength of the filament change it was taken with, 1 is the paper's.
        current: beam current over the operator's usual one; below 1 an ageing filament.
    """

    lot: str
    sample: int
    frames: int
    filament: float = 0.0
    current: float = 1.0


@dataclass(frozen=True, slots=True)
class Scored:
    """One frame as the judge sees it."""

    score: Score
    statistics: AcquisitionStatistics


class Pool:
    """Visits scored by one served model, kept under `folder`/<model>-<microscope>.

    Args:
        model: a served model's folder.
        folder: keeps the scores.
        threads: of the embedded model.
    """

    def __init__(self, model: Path, folder: Path, threads: int = 1) -> None:
        self._model = model
        self._digest = load_manifest(model).onnx.sha256
        self._folder = folder / f"{self._digest[:16]}-{MICROSCOPE_VERSION}-{SEED}"
        self._threads = threads
        self._microscope = VirtualMicroscope(SEED)

    def read(self, visit: Visit) -> list[Scored]:
        """A visit's frames; raises FileNotFoundError before `fill` has been there."""
        rows = json.loads(self._place(visit).read_text(encoding="utf-8"))
        return [Scored(Score(**_tuples(row["score"])), AcquisitionStatistics(**row["statistics"])) for row in rows]

    def fill(self, visits: Iterable[Visit]) -> Iterator[tuple[int, int]]:
        """Score what is not there yet, one visit at a time; yields how many of how many are there."""
        wanted = list(visits)
        missing = [visit for visit in wanted if not self._place(visit).exists()]
        self._folder.mkdir(parents=True, exist_ok=True)
        yield len(wanted) - len(missing), len(wanted)
        if missing:
            yield from self._score(missing, len(wanted))

    def _score(self, missing: list[Visit], total: int) -> Iterator[tuple[int, int]]:
        loop = asyncio.new_event_loop()
        predictor = EmbeddedPredictor(self._model, threads=self._threads)
        loop.run_until_complete(predictor.start())
        try:
            for number, visit in enumerate(missing, 1):
                if not self._place(visit).exists():
                    frames = [_frame(pixels) for pixels in self._pixels(visit)]
                    answers = loop.run_until_complete(predictor.predict(frames))
                    self._keep(visit, [Scored(score(answer), frame.statistics) for frame, answer in zip(frames, answers, strict=True)])
                yield total - len(missing) + number, total
        finally:
            loop.run_until_complete(predictor.stop())
            loop.close()

    def _pixels(self, visit: Visit) -> Iterator[NDArray[np.uint8]]:
        if not visit.lot:
            rng = np.random.default_rng((SEED, visit.sample))
            return (unrelated_picture(rng, FRAME_PX, FRAME_PX) for _ in range(visit.frames))
        usual = self._microscope.column(visit.lot, visit.sample)
        column = replace(usual, current_pa=usual.current_pa * visit.current)
        views = self._microscope.frames(visit.lot, visit.sample, visit.frames, filament=visit.filament, column=column)
        return (view.pixels for view in views)

    def _keep(self, visit: Visit, frames: list[Scored]) -> None:
        rows = [{"score": {**asdict(frame.score), "field_entropy": ()}, "statistics": asdict(frame.statistics)} for frame in frames]
        beside = self._place(visit).with_suffix(f".{os.getpid()}.tmp")
        beside.write_text(json.dumps(rows), encoding="utf-8")
        beside.replace(self._place(visit))

    def _place(self, visit: Visit) -> Path:
        name = hashlib.sha256(repr(visit).encode()).hexdigest()[:20]
        return self._folder / f"{visit.lot or 'unrelated'}-{visit.sample}-{name}.json"


def _frame(pixels: NDArray[np.uint8]) -> Frame:
    return Frame(pixels, FULL_SCALE, 0, 1, content_hash(pixels), Acquisition(), measure(pixels, FULL_SCALE))


def _tuples(row: dict[str, object]) -> dict[str, object]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
