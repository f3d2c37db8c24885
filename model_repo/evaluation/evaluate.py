"""Evaluate a served model's own ONNX graph on whole frames, beside other methods on the same frames."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from edge_agent.core.errors import ConfigurationError
from model_repo.evaluation.answers import LEVELS, Questioned, usual_of
from model_repo.evaluation.detection import Detection, detection, families, tell_kinds
from model_repo.evaluation.quality import Difference, Quality, Voter, difference, quality
from model_repo.evaluation.trust import Conformal, ReferralRow, conformal, referral_rows, temperature_effect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from model_repo.data.source import Origin, Probe, Source
    from model_repo.evaluation.answers import Answer
    from model_repo.metrics import Interval, Telling, Tempering
    from model_repo.recipe import Recipe

SEED = 20211
REPLICATES = 500
OTHERS_REPLICATES = 100
KNOWN = "known lots"
ALONE = "its members alone"


@dataclass(frozen=True, slots=True)
class OtherDetection:
    """What another method's entropy notices, beside which the model's own scores stand."""

    method: str
    kind: str
    origin: str
    entropy: Interval
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything the report tells."""

    name: str
    version: str
    method: str
    digest: str
    origin: Origin
    source: str
    counts: dict[str, dict[str, dict[str, int]]]
    members: int
    qualities: tuple[Quality, ...]
    differences: tuple[Difference, ...]
    detections: tuple[Detection, ...]
    others: tuple[OtherDetection, ...]
    referral: tuple[ReferralRow, ...]
    tempering: Tempering | None
    conformal: Conformal | None
    tellings: dict[str, Telling]
    seconds: float
    machine: str
    training: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answers:
    """What the figures are drawn of: by kind for the model, on the test frames for every method, and one local map for each kind."""

    by_kind: Mapping[str, Sequence[Answer]]
    by_method: Mapping[str, Sequence[Answer]]
    maps: Mapping[str, tuple[Probe, NDArray[np.float32]]]
    lots: tuple[str, ...]


def evaluate(
    recipe: Recipe, source: Source, served: Path, against: Sequence[Path] = (), *, replicates: int = REPLICATES
) -> tuple[Evaluation, Answers]:
    """Run the served graph on the calibration and test sides and on every kind of shift, and other methods beside it.

    Args:
        recipe: the model's.
        source: the recipe's.
        served: the model's folder.
        against: folders of other served models of the same lots.
        replicates: of every bootstrap.

    Raises:
        EdgeAgentError: a folder is damaged or answers other lots.
    """
    began = time.monotonic()
    model = Questioned(served, recipe, source)
    lots = source.lots
    own: str = model.manifest.method
    others: dict[str, Questioned] = {}
    for folder in against:
        other = Questioned(folder, recipe, source)
        if other.manifest.method in {own, *others}:
            raise ConfigurationError(f"--against {folder}", f"is a second {other.manifest.method}", "name each method once")
        others[other.manifest.method] = other
    calibration = model.answers(source.frames("calibration"))
    usual = usual_of(calibration)
    test = source.frames("test")
    by_kind: dict[str, Sequence[Answer]] = {KNOWN: model.answers(test)}
    by_method: dict[str, Sequence[Answer]] = {own: by_kind[KNOWN]} | {name: other.answers(test) for name, other in others.items()}
    rng = np.random.default_rng(SEED)
    detections: list[Detection] = []
    noticed: list[OtherDetection] = []
    origins: dict[str, Origin] = {}
    maps = _maps(model, KNOWN, by_kind[KNOWN])
    for kind in source.kinds(test, SEED):
        origins[kind.name] = kind.origin
        found = model.answers(kind.probes)
        maps |= _maps(model, kind.name, found)
        by_kind[kind.name] = _without_pixels(found)
        arguments = (usual, lots, rng, replicates)
        detections += [detection(kind.name, kind.origin, level, by_kind[KNOWN], by_kind[kind.name], *arguments) for level in LEVELS]
        for name, other in others.items():
            row = detection(
                kind.name, kind.origin, "frame", by_method[name], other.answers(kind.probes), usual, lots, rng, OTHERS_REPLICATES
            )
            noticed.append(OtherDetection(name, kind.name, kind.origin, row.auc["entropy"], row.accuracy))
    for family, joined in families(by_kind).items():
        origin = " and ".join(sorted({origins[kind] for kind in origins if kind.startswith(family)}))
        by_lot = family == "unseen" and len({a.probe.group.partition("/")[0] for a in joined}) > 1
        detections += [
            detection(f"all {family}", origin, level, by_kind[KNOWN], joined, usual, lots, rng, replicates, by_lot=by_lot)
            for level in LEVELS
        ]
    qualities, differences = _table(by_method, own, lots, rng, replicates)
    evaluation = Evaluation(
        name=model.manifest.name,
        version=model.manifest.version,
        method=own,
        digest=model.manifest.onnx.sha256,
        origin=source.origin,
        source=source.name,
        counts=source.counts(),
        members=model.manifest.members,
        qualities=tuple(qualities),
        differences=tuple(differences),
        detections=tuple(detections),
        others=tuple(noticed),
        referral=tuple(referral_rows(model.manifest, by_kind[KNOWN], rng, replicates)),
        tempering=temperature_effect(calibration, by_kind[KNOWN], lots),
        conformal=conformal(calibration, by_kind[KNOWN], lots, replicates),
        tellings=tell_kinds(by_kind, KNOWN, usual),
        seconds=time.monotonic() - began,
        machine=f"{os.cpu_count()} CPU cores, {platform.machine()}, onnxruntime {onnxruntime.__version__}",
        training=dict(model.manifest.training),
    )
    return evaluation, Answers(by_kind, by_method, maps, lots)


def _table(
    by_method: Mapping[str, Sequence[Answer]], own: str, lots: tuple[str, ...], rng: np.random.Generator, replicates: int
) -> tuple[list[Quality], list[Difference]]:
    qualities, differences = [], []
    for level in LEVELS:
        voters = {name: Voter(answers, level, lots) for name, answers in by_method.items()}
        if own == "deep_ensemble":
            voters[ALONE] = Voter(by_method[own], level, lots, alone=True)
        qualities += [quality(voter, level, name, rng, replicates) for name, voter in voters.items()]
        differences += [difference(voters, level, own, name, rng, replicates) for name in voters if name != own]
    return qualities, differences


def _maps(model: Questioned, kind: str, answers: Sequence[Answer]) -> dict[str, tuple[Probe, NDArray[np.float32]]]:
    """The local map of the kind's frame of median distance."""
    ordered = sorted(answers, key=lambda answer: answer.score.distance)
    chosen = ordered[len(ordered) // 2].probe
    local = model.local_map(chosen)
    return {} if local is None else {kind: (chosen, local)}


def _without_pixels(answers: Sequence[Answer]) -> list[Answer]:
    """Shifted frames are many; only known ones are looked at again."""
    nothing = np.zeros((0, 0), np.uint8)
    return [replace(answer, probe=replace(answer.probe, pixels=nothing)) for answer in answers]
