"""How confidence and accuracy grow with the number of training samples: what more samples would buy, before they are labelled.

Zhang, Kailkhura & Han 2021, use 1: the mean confidence on frames without labels follows the accuracy that labels would show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from edge_agent.core.errors import ConfigurationError
from edge_agent.inference import tile
from model_repo import metrics
from model_repo.data.micrographs import FULL_SCALE
from model_repo.data.opening import open_source
from model_repo.export import load_networks
from model_repo.method_kind import MethodKind
from model_repo.train import train
from model_repo.uncertainty import METHODS
from model_repo.uncertainty.method import in_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

    from model_repo.data.source import Probe, Source
    from model_repo.metrics import LearningCurve
    from model_repo.recipe import Recipe

FRACTIONS = (0.1, 0.25, 0.5, 1.0)
LEAST_STEPS = 0.3
"""Networks on few samples are trained over at least this share of the recipe's steps."""
MOST_FIELDS = 2880
FEWEST_SIZES = 3
SEED = 20212


@dataclass(frozen=True, slots=True)
class Run:
    """One size of the training set.

    Attributes:
        fraction: share of each lot's training samples.
        samples: training samples a lot.
        networks: networks whose answers are averaged.
        steps: optimisation steps of each.
        single_accuracy, single_confidence: means over what each network alone reaches.
        seconds: of training, all networks together.
    """

    fraction: float
    samples: int
    networks: int
    steps: int
    single_accuracy: float
    single_confidence: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Measured:
    """The runs, what is observed of them on the same test fields, and how it goes on.

    Attributes:
        name: the recipe's.
        origin: whether its frames are real or simulated.
        runs: by growing number of samples.
        accuracy: of the networks' mean, which needs labels.
        confidence: of the networks' mean, which needs none.
        fields, test_samples: what it was tested on.
    """

    name: str
    origin: str
    runs: tuple[Run, ...]
    accuracy: LearningCurve
    confidence: LearningCurve
    fields: int
    test_samples: int


def learning_curve(
    recipe: Recipe,
    data: Path | None,
    checkpoints: Path,
    out: Path,
    *,
    fractions: Sequence[float] = FRACTIONS,
    networks: int = 2,
    wanted: float = 0.95,
    tell: Callable[[str], None] = print,
) -> Measured:
    """Train the recipe's first networks on growing shares of the training samples and look at the same test fields each time.

    Args:
        recipe: trained as an ensemble, whatever its method.
        data: as for `train`.
        checkpoints: the whole recipe's trained networks, the point of 100 %.
        out: keeps the checkpoints of the other points, which an interrupted run goes on with.
        fractions: of each lot's training samples, ascending; 1 is always the recipe's own.
        networks: how many of the recipe's seeds are trained at each point.
        wanted: accuracy whose number of samples is asked for.
        tell: progress, a line at a time.

    Raises:
        ConfigurationError: more networks than seeds, shares that are none, or too few different numbers of samples for a curve.
        EdgeAgentError: a checkpoint is missing or foreign.
    """
    recipe = recipe.with_method(MethodKind.DEEP_ENSEMBLE)
    if not 1 <= networks <= len(recipe.training.seeds):
        raise ConfigurationError(
            f"--networks {networks}", f"the recipe has {len(recipe.training.seeds)} seeds", "choose as many or fewer, at least 1"
        )
    if not all(0 < fraction <= 1 for fraction in fractions):
        raise ConfigurationError(f"fractions {list(fractions)}", "are not shares of the training samples", "choose them from (0, 1]")
    source = open_source(recipe, data)
    test, labels, groups = _test_fields(source.frames("test"), source.lots, recipe)
    _refuse_too_few_sizes(recipe, data, fractions)
    runs: list[Run] = []
    answers: list[NDArray[np.float64]] = []
    for fraction in sorted(fractions):
        part = _part(recipe, fraction, networks)
        reduced = open_source(part, data)
        if fraction < 1:
            train(part, reduced, out / f"{fraction:g}", tell=tell)
            trained, kept = load_networks(METHODS[MethodKind.DEEP_ENSEMBLE], part, reduced, out / f"{fraction:g}")
        else:
            trained, kept = load_networks(METHODS[MethodKind.DEEP_ENSEMBLE], recipe, source, checkpoints)
        p = np.stack([_answers(network, test) for network in trained[:networks]], axis=1)
        answers.append(p.mean(axis=1))
        runs.append(_run(part, _samples(reduced), p, labels, float(sum(member["seconds"] for member in kept[:networks]))))
        tell(f"{fraction:.0%}: accuracy {metrics.accuracy(answers[-1], labels):.3f}, confidence {answers[-1].max(axis=1).mean():.3f}")
    right = np.stack([(mean.argmax(axis=1) == labels).astype(np.float64) for mean in answers])
    sizes = np.array([run.samples for run in runs])
    accuracy, confidence = (
        metrics.learning_curve(sizes, outcomes, groups, wanted, rng=np.random.default_rng(SEED))
        for outcomes in (right, np.stack([mean.max(axis=1) for mean in answers]))
    )
    return Measured(recipe.name, source.origin, tuple(runs), accuracy, confidence, len(labels), len(set(groups)))


def _run(part: Recipe, samples: int, p: NDArray[np.float64], labels: NDArray[np.int64], seconds: float) -> Run:
    """The row of one size, from the networks' probabilities (fields, networks, lots) and their fields' lots."""
    return Run(
        fraction=part.training.fraction,
        samples=samples,
        networks=p.shape[1],
        steps=part.training.steps,
        single_accuracy=float(np.mean([metrics.accuracy(p[:, k], labels) for k in range(p.shape[1])])),
        single_confidence=float(p.max(axis=2).mean()),
        seconds=seconds,
    )


def _refuse_too_few_sizes(recipe: Recipe, data: Path | None, fractions: Sequence[float]) -> None:
    sizes = {_samples(open_source(_part(recipe, fraction, 1), data)) for fraction in fractions}
    if len(sizes) < FEWEST_SIZES:
        shares = ", ".join(f"{fraction:g}" for fraction in fractions)
        raise ConfigurationError(
            f"recipe {recipe.name}",
            f"shares {shares} of its training samples are only {len(sizes)} different numbers",
            f"a curve needs {FEWEST_SIZES}: take more samples a lot, or other shares",
        )


def _samples(source: Source) -> int:
    """Training samples of the lot that has fewest."""
    return min(sides["train"]["groups"] for sides in source.counts().values() if "train" in sides)


def _part(recipe: Recipe, fraction: float, networks: int) -> Recipe:
    training = recipe.training
    steps = training.steps if fraction == 1 else max(1, round(training.steps * max(fraction, LEAST_STEPS)))
    changes = {"fraction": fraction, "steps": steps, "seeds": training.seeds[:networks]}
    return recipe.model_copy(update={"training": training.model_copy(update=changes)})


def _test_fields(frames: Sequence[Probe], lots: tuple[str, ...], recipe: Recipe) -> tuple[torch.Tensor, NDArray[np.int64], list[str]]:
    """Fields of the test frames, evenly thinned to MOST_FIELDS, with their lots' indices and samples."""
    tiled = [tile(frame.pixels, FULL_SCALE, recipe.preprocessing)[0] for frame in frames]
    labels = np.repeat([lots.index(frame.lot) for frame in frames], [len(fields) for fields in tiled])
    groups = np.repeat([frame.group for frame in frames], [len(fields) for fields in tiled])
    chosen = np.unique(np.linspace(0, len(labels) - 1, min(len(labels), MOST_FIELDS)).astype(int))
    return torch.from_numpy(np.concatenate(tiled)[chosen]), labels[chosen].astype(np.int64), groups[chosen].tolist()


def _answers(network: nn.Module, fields: torch.Tensor) -> NDArray[np.float64]:
    method = METHODS[MethodKind.DEEP_ENSEMBLE]
    return in_batches(lambda batch: method.probabilities(network, batch), fields).numpy().astype(np.float64)
