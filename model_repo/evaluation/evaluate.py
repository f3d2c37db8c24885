"""Evaluate a served model's own ONNX graph on whole frames, beside other methods on the same frames."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from edge_agent.core.errors import ConfigurationError
from model_repo.evaluation.answers import LEVELS, Questioned, usual_of
from model_repo.evaluation.detection import tell_kinds
from model_repo.evaluation.quality import Difference, Quality, Voter, difference, quality
from model_repo.evaluation.shifted import KNOWN, ask_of_shifts
from model_repo.evaluation.trust import Conformal, ReferralRow, conformal, referral_rows, temperature_effect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from model_repo.data.source import Origin, Probe, Source
    from model_repo.evaluation.answers import Answer
    from model_repo.evaluation.detection import Detection
    from model_repo.evaluation.shifted import OtherDetection
    from model_repo.metrics import Telling, Tempering
    from model_repo.recipe import Recipe

SEED = 20211
REPLICATES = 500
ALONE = "its members alone"


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
    methods = _methods(recipe, source, served, against)
    (own, model), *_ = methods.items()
    calibration = model.answers(source.frames("calibration"))
    usual = usual_of(calibration)
    frames = source.frames("test")
    on_test = {name: method.answers(frames) for name, method in methods.items()}
    rng = np.random.default_rng(SEED)
    shifted = ask_of_shifts(methods, on_test, source.kinds(frames, SEED), usual, rng, replicates)
    qualities, differences = _table(on_test, own, source.lots, rng, replicates)
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
        detections=shifted.detections,
        others=shifted.others,
        referral=tuple(referral_rows(model.manifest, on_test[own], rng, replicates)),
        tempering=temperature_effect(calibration, on_test[own], source.lots),
        conformal=conformal(calibration, on_test[own], source.lots, replicates),
        tellings=tell_kinds(shifted.by_kind, KNOWN, usual),
        seconds=time.monotonic() - began,
        machine=f"{os.cpu_count()} CPU cores, {platform.machine()}, onnxruntime {onnxruntime.__version__}",
        training=dict(model.manifest.training),
    )
    return evaluation, Answers(shifted.by_kind, on_test, shifted.maps, source.lots)


def _methods(recipe: Recipe, source: Source, served: Path, against: Sequence[Path]) -> dict[str, Questioned]:
    """The model, then those beside it, by the names of their methods."""
    model = Questioned(served, recipe, source)
    methods: dict[str, Questioned] = {model.manifest.method: model}
    for folder in against:
        other = Questioned(folder, recipe, source)
        if other.manifest.method in methods:
            raise ConfigurationError(f"--against {folder}", f"is a second {other.manifest.method}", "name each method once")
        methods[other.manifest.method] = other
    return methods


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
