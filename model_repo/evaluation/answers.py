"""What one served model answers to frames, and the arrays that figures are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import onnxruntime

from edge_agent.core.errors import EdgeAgentError
from edge_agent.frames import content_hash, measure
from edge_agent.inference import load_manifest, tile, verify
from edge_agent.uncertainty import entropy, mutual_information, score, uniform_of
from model_repo.data.micrographs import FULL_SCALE
from model_repo.frames import frame_predictions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_agent.core.frame import AcquisitionStatistics
    from edge_agent.core.prediction import Prediction, Score
    from edge_agent.inference import Manifest
    from model_repo.data.source import Probe, Source
    from model_repo.recipe import Recipe

Level: TypeAlias = Literal["field", "frame"]
LEVELS: tuple[Level, ...] = ("field", "frame")
SCORES = ("entropy", "mutual information", "distance")
FRAME_SCORES = (*SCORES, "distance for its lot", "noise for its lot")
STATISTICS = ("mean", "log_sigma", "log_noise", "log_sharpness")


@dataclass(frozen=True, slots=True)
class Answer:
    """One probe's prediction, score, and statistics of the full-resolution frame."""

    probe: Probe
    prediction: Prediction
    score: Score
    statistics: AcquisitionStatistics


Usual: TypeAlias = "Mapping[str, Mapping[str, float]]"
"""Each lot's medians over its calibration frames: of the distance and of the acquisition statistics."""


class Questioned:
    """A served model that can be asked; raises EdgeAgentError when its folder is damaged or its lots are not the source's."""

    def __init__(self, folder: Path, recipe: Recipe, source: Source) -> None:
        self.manifest: Manifest = load_manifest(folder)
        verify(folder, self.manifest)
        if source.lots != self.manifest.lots:
            raise EdgeAgentError(
                str(folder), f"answers lots {self.manifest.lots}, the recipe holds {source.lots}", "export this recipe again"
            )
        self._recipe = recipe
        self._session = onnxruntime.InferenceSession((folder / self.manifest.onnx.file).read_bytes(), providers=["CPUExecutionProvider"])

    def answers(self, probes: Sequence[Probe]) -> list[Answer]:
        """Predict, score and measure frames as the agent does."""
        predictions = frame_predictions(self._session, [probe.pixels for probe in probes], self._recipe, self.manifest.lots)
        return [
            Answer(probe, prediction, score(prediction), measure(probe.pixels, FULL_SCALE))
            for probe, prediction in zip(probes, predictions, strict=True)
        ]

    def local_map(self, probe: Probe) -> NDArray[np.float32] | None:
        """Inverse local rigidity over a frame, its fields side by side, shape (rows, columns); None when the graph has no such output."""
        if self.manifest.outputs.local_map is None:
            return None
        fields, (rows, columns) = tile(probe.pixels, FULL_SCALE, self._recipe.preprocessing)
        (maps,) = self._session.run([self.manifest.outputs.local_map.name], {self.manifest.input.name: fields})
        _, height, width = maps.shape
        laid: NDArray[np.float32] = maps.reshape(rows, columns, height, width).transpose(0, 2, 1, 3).reshape(rows * height, columns * width)
        return laid


def usual_of(answers: Sequence[Answer]) -> Usual:
    """Medians by true lot."""
    return {
        lot: {
            "distance": float(np.median([a.score.distance for a in answers if a.probe.lot == lot])),
            **{name: float(np.median([getattr(a.statistics, name) for a in answers if a.probe.lot == lot])) for name in STATISTICS},
        }
        for lot in sorted({a.probe.lot for a in answers})
    }


def scores_of(answers: Sequence[Answer], level: Level, usual: Usual | None = None) -> dict[str, NDArray[np.float64]]:
    """The scores that a shift could raise, one value an element of the level; what a lot usually has is known for whole frames."""
    if level == "field":
        ensemble = [a.prediction.probabilities.astype(np.float64) for a in answers]
        return {
            "entropy": np.concatenate([entropy(p.mean(axis=1)) for p in ensemble]),
            "mutual information": np.concatenate([mutual_information(p) for p in ensemble]),
            "distance": np.concatenate(
                [np.log(np.maximum(a.prediction.distances.astype(np.float64).mean(axis=1), 1e-12)) for a in answers]
            ),
        }
    found = {
        "entropy": np.array([a.score.entropy for a in answers]),
        "mutual information": np.array([a.score.mutual_information for a in answers]),
        "distance": np.array([a.score.distance for a in answers]),
    }
    if usual is not None:
        found["distance for its lot"] = np.array([a.score.distance - usual[a.score.lot]["distance"] for a in answers])
        found["noise for its lot"] = np.array([abs(a.statistics.log_noise - usual[a.score.lot]["log_noise"]) for a in answers])
    return found


def features_of(answers: Sequence[Answer], usual: Usual) -> NDArray[np.float64]:
    """What one frame tells of its kind: entropy, mutual information, distance and acquisition statistics for its lot; shape (n, 7)."""
    rows = [
        [
            a.score.entropy,
            a.score.mutual_information,
            a.score.distance - usual[a.score.lot]["distance"],
            *(getattr(a.statistics, name) - usual[a.score.lot][name] for name in STATISTICS),
        ]
        for a in answers
    ]
    return np.clip(np.array(rows), -20, 20)


def groups_of(answers: Sequence[Answer], level: Level) -> list[str]:
    """The independent source of every element of the level."""
    return [a.probe.group for a in answers for _ in range(len(a.prediction.probabilities) if level == "field" else 1)]


def member_probabilities(answers: Sequence[Answer], level: Level) -> NDArray[np.float64]:
    """Shape (elements, members, lots)."""
    p = [a.prediction.probabilities.astype(np.float64) for a in answers]
    return np.concatenate(p) if level == "field" else np.stack([one.mean(axis=0) for one in p])


def labels_of(answers: Sequence[Answer], level: Level, lots: Sequence[str]) -> NDArray[np.int64]:
    """The true lot's index of every element."""
    repeats = [len(a.prediction.probabilities) if level == "field" else 1 for a in answers]
    return np.repeat([lots.index(a.probe.lot) for a in answers], repeats).astype(np.int64)


def smoothing_of(answers: Sequence[Answer]) -> NDArray[Any]:
    """A number in (0, 1) that each frame's content fixes; shape (n,)."""
    return np.array([uniform_of(content_hash(a.probe.pixels)) for a in answers])
