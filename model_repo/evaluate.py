"""Evaluate a served model's own ONNX graph on whole frames: right answers, calibration, referral, and what it notices of shifts."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from edge_agent.core.errors import EdgeAgentError
from edge_agent.frames import measure
from edge_agent.inference import load_manifest, verify
from edge_agent.uncertainty import entropy, mutual_information, score
from model_repo import metrics
from model_repo.data.micrographs import FULL_SCALE
from model_repo.frames import frame_predictions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_agent.core.prediction import Prediction, Score
    from model_repo.data.source import Kind, Probe, Source
    from model_repo.recipe import Recipe

SEED = 20211
REPLICATES = 500
LEVELS = ("field", "frame")


@dataclass(frozen=True, slots=True)
class Answer:
    """One probe's prediction, score and full-resolution noise."""

    probe: Probe
    prediction: Prediction
    score: Score
    log_noise: float


@dataclass(frozen=True, slots=True)
class Usual:
    """A lot's medians over its calibration frames."""

    log_noise: float
    distance: float


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its 95 % interval over independent groups."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Quality:
    """One row of the table of answers on the test side."""

    level: str
    method: str
    frames: int
    groups: int
    count: int
    accuracy: Figure
    nll: Figure
    ece: Figure
    risk_at_90: Figure


@dataclass(frozen=True, slots=True)
class Detection:
    """One row of the table of shifts: the AUC of each score against the test frames of known lots."""

    kind: str
    origin: str
    level: str
    frames: int
    groups: int
    count: int
    auc: Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything the report tells."""

    name: str
    version: str
    digest: str
    counts: dict[str, dict[str, dict[str, int]]]
    members: int
    qualities: tuple[Quality, ...]
    detections: tuple[Detection, ...]
    seconds: float
    machine: str
    training: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def evaluate(recipe: Recipe, source: Source, served: Path, *, replicates: int = REPLICATES) -> tuple[Evaluation, dict[str, list[Answer]]]:
    """Run the served graph on the test side and on every kind of shift; also return the answers by kind, for figures."""
    began = time.monotonic()
    manifest = load_manifest(served)
    verify(served, manifest)
    if source.lots != manifest.lots:
        raise EdgeAgentError(str(served), f"answers lots {manifest.lots}, the recipe holds {source.lots}", "export this recipe again")
    session = onnxruntime.InferenceSession((served / manifest.onnx.file).read_bytes(), providers=["CPUExecutionProvider"])

    def answer(probes: Sequence[Probe]) -> list[Answer]:
        predictions = frame_predictions(session, [probe.pixels for probe in probes], recipe, source.lots)
        noises = [measure(probe.pixels, FULL_SCALE).log_noise for probe in probes]
        return [Answer(probe, p, score(p), n) for probe, p, n in zip(probes, predictions, noises, strict=True)]

    calibration = answer(source.frames("calibration"))
    usual = {
        lot: Usual(*(float(np.median([value(a) for a in calibration if a.probe.lot == lot])) for value in (_log_noise, _distance)))
        for lot in source.lots
    }
    test = source.frames("test")
    normal = answer(test)
    answers = {"known lots": normal}
    detections: list[Detection] = []
    rng = np.random.default_rng(SEED)
    for kind in source.kinds(test, SEED):
        answers[kind.name] = answer(kind.probes)
        detections += [_detection(kind, level, normal, answers[kind.name], usual, rng, replicates) for level in LEVELS]
    qualities = [
        _quality(level, method, normal, source.lots, rng, replicates) for level in LEVELS for method in ("single network", "ensemble")
    ]
    evaluation = Evaluation(
        name=manifest.name,
        version=manifest.version,
        digest=manifest.onnx.sha256,
        counts=source.counts(),
        members=manifest.members,
        qualities=tuple(qualities),
        detections=tuple(detections),
        seconds=time.monotonic() - began,
        machine=f"{os.cpu_count()} CPU cores, {platform.machine()}, onnxruntime {onnxruntime.__version__}",
        training=dict(manifest.training),
    )
    return evaluation, answers


def scores_of(answers: Sequence[Answer], level: str, usual: Mapping[str, Usual] | None = None) -> dict[str, NDArray[np.float64]]:
    """The scores that a shift could raise, one value an element of the level; what a lot usually has is known for whole frames."""
    if level == "field":
        ensemble = [a.prediction.probabilities.astype(np.float64) for a in answers]
        return {
            "entropy": np.concatenate([entropy(p.mean(axis=1)) for p in ensemble]),
            "mutual information": np.concatenate([mutual_information(p) for p in ensemble]),
            "distance": np.concatenate([np.log(a.prediction.distances.astype(np.float64).mean(axis=1)) for a in answers]),
        }
    found = {
        "entropy": np.array([a.score.entropy for a in answers]),
        "mutual information": np.array([a.score.mutual_information for a in answers]),
        "distance": np.array([a.score.distance for a in answers]),
    }
    if usual is not None:
        found["distance for its lot"] = np.array([a.score.distance - usual[a.score.lot].distance for a in answers])
        found["noise for its lot"] = np.array([abs(a.log_noise - usual[a.score.lot].log_noise) for a in answers])
    return found


def groups_of(answers: Sequence[Answer], level: str) -> list[str]:
    """The independent source of every element of the level."""
    return [a.probe.group for a in answers for _ in range(len(a.prediction.probabilities) if level == "field" else 1)]


def member_probabilities(answers: Sequence[Answer], level: str) -> NDArray[np.float64]:
    """Shape (elements, members, lots)."""
    p = [a.prediction.probabilities.astype(np.float64) for a in answers]
    return np.concatenate(p) if level == "field" else np.stack([one.mean(axis=0) for one in p])


def labels_of(answers: Sequence[Answer], level: str, lots: Sequence[str]) -> NDArray[np.int64]:
    """The true lot's index of every element."""
    repeats = [len(a.prediction.probabilities) if level == "field" else 1 for a in answers]
    return np.repeat([lots.index(a.probe.lot) for a in answers], repeats).astype(np.int64)


def _detection(
    kind: Kind,
    level: str,
    normal: Sequence[Answer],
    strange: Sequence[Answer],
    usual: Mapping[str, Usual],
    rng: np.random.Generator,
    replicates: int,
) -> Detection:
    before, after = scores_of(normal, level, usual), scores_of(strange, level, usual)
    groups = [groups_of(normal, level), groups_of(strange, level)]
    found = {}
    for name, low in before.items():
        high = after[name]

        def figure(i: NDArray[np.int64], j: NDArray[np.int64], a: NDArray[Any] = low, b: NDArray[Any] = high) -> float:
            return metrics.auc(a[i], b[j])

        found[name] = Figure(metrics.auc(low, high), *metrics.bootstrap_interval(figure, groups, rng=rng, replicates=replicates))
    return Detection(kind.name, kind.origin, level, len(strange), len(set(groups[1])), len(groups[1]), found)


def _log_noise(answer: Answer) -> float:
    return answer.log_noise


def _distance(answer: Answer) -> float:
    return answer.score.distance


def _quality(level: str, method: str, answers: Sequence[Answer], lots: Sequence[str], rng: np.random.Generator, replicates: int) -> Quality:
    p, labels, groups = member_probabilities(answers, level), labels_of(answers, level, lots), groups_of(answers, level)
    voters = [p[:, k] for k in range(p.shape[1])] if method == "single network" else [p.mean(axis=1)]

    def figure(function: Callable[..., float], *, with_uncertainty: bool = False) -> Figure:
        def value(index: NDArray[np.int64]) -> float:
            each = [function(v[index], labels[index], *([entropy(v[index])] if with_uncertainty else [])) for v in voters]
            return float(np.mean(each))

        return Figure(value(np.arange(len(labels))), *metrics.bootstrap_interval(value, [groups], rng=rng, replicates=replicates))

    return Quality(
        level,
        method,
        len(answers),
        len(set(groups)),
        len(labels),
        figure(metrics.accuracy),
        figure(metrics.nll),
        figure(metrics.expected_calibration_error),
        figure(metrics.risk_at_coverage, with_uncertainty=True),
    )
