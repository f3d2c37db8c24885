"""Scored frames, kept by what made them: each visit is shown and answered once, ever."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from edge_agent.core.frame import Acquisition, AcquisitionStatistics, Frame
from edge_agent.core.prediction import Score
from edge_agent.frames import content_hash, measure
from edge_agent.inference import EmbeddedPredictor, load_manifest
from edge_agent.uncertainty import score

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

FULL_SCALE = 255


class Named(Protocol):
    """A visit: hashable, with a representation that says all that made its frames."""

    @property
    def label(self) -> str:
        """What its file's name begins with."""


V = TypeVar("V", bound=Named)


@dataclass(frozen=True, slots=True)
class Scored:
    """One frame as the judge sees it."""

    score: Score
    statistics: AcquisitionStatistics


class ScoredVisits(ABC, Generic[V]):
    """Visits scored by one served model, kept under `folder`/<model>-<made_by>.

    Args:
        model: a served model's folder.
        folder: keeps the scores.
        made_by: what shows the frames, with its version.
        threads: of the embedded model.
    """

    def __init__(self, model: Path, folder: Path, made_by: str, threads: int = 1) -> None:
        self._model = model
        self._folder = folder / f"{load_manifest(model).onnx.sha256[:16]}-{made_by}"
        self._threads = threads

    @abstractmethod
    def pixels(self, visit: V) -> Iterator[NDArray[np.uint8]]:
        """A visit's frames, shape (height, width)."""

    def read(self, visit: V) -> list[Scored]:
        """A visit's frames; raises FileNotFoundError before `fill` has been there."""
        rows = json.loads(self._place(visit).read_text(encoding="utf-8"))
        return [Scored(Score(**_tuples(row["score"])), AcquisitionStatistics(**row["statistics"])) for row in rows]

    def fill(self, visits: Iterable[V]) -> Iterator[tuple[int, int]]:
        """Score what is not there yet, one visit at a time; yields how many of how many are there."""
        wanted = list(visits)
        missing = [visit for visit in wanted if not self._place(visit).exists()]
        self._folder.mkdir(parents=True, exist_ok=True)
        yield len(wanted) - len(missing), len(wanted)
        if missing:
            yield from self._score(missing, len(wanted))

    def _score(self, missing: list[V], total: int) -> Iterator[tuple[int, int]]:
        loop = asyncio.new_event_loop()
        predictor = EmbeddedPredictor(self._model, threads=self._threads)
        loop.run_until_complete(predictor.start())
        try:
            for number, visit in enumerate(missing, 1):
                if not self._place(visit).exists():
                    frames = [_frame(pixels) for pixels in self.pixels(visit)]
                    answers = loop.run_until_complete(predictor.predict(frames))
                    self._keep(visit, [Scored(score(answer), frame.statistics) for frame, answer in zip(frames, answers, strict=True)])
                yield total - len(missing) + number, total
        finally:
            loop.run_until_complete(predictor.stop())
            loop.close()

    def _keep(self, visit: V, frames: list[Scored]) -> None:
        rows = [{"score": {**asdict(frame.score), "field_entropy": ()}, "statistics": asdict(frame.statistics)} for frame in frames]
        beside = self._place(visit).with_suffix(f".{os.getpid()}.tmp")
        beside.write_text(json.dumps(rows), encoding="utf-8")
        beside.replace(self._place(visit))

    def _place(self, visit: V) -> Path:
        name = hashlib.sha256(repr(visit).encode()).hexdigest()[:20]
        return self._folder / f"{visit.label}-{name}.json"


def _frame(pixels: NDArray[np.uint8]) -> Frame:
    return Frame(pixels, FULL_SCALE, 0, 1, content_hash(pixels), Acquisition(), measure(pixels, FULL_SCALE))


def _tuples(row: dict[str, object]) -> dict[str, object]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
