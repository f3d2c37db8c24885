"""An evaluation's pictures, written beside its page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.uncertainty import entropy
from model_repo import metrics
from model_repo.data.micrographs import FULL_SCALE
from model_repo.evaluation.answers import labels_of, member_probabilities, scores_of
from model_repo.evaluation.detection import families
from model_repo.evaluation.shifted import KNOWN
from model_repo.figures import (
    confusion_figure,
    coverage_figure,
    entropy_figure,
    local_map_figure,
    reliability_figure,
    risk_figure,
    roc_figure,
    save,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from model_repo.data.source import Probe
    from model_repo.evaluation.evaluate import Answers, Evaluation

MOST_KINDS = 8
"""More lines than this in one plot are joined by family."""


def draw_all(evaluation: Evaluation, answers: Answers, out: Path) -> list[tuple[str, str]]:
    """Write the pictures into `out`; return each one's file name and caption."""
    out.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, caption, figure in _figures(evaluation, answers):
        save(figure, out / f"{name}.png")
        drawn.append((f"{name}.png", caption))
    return drawn


def _figures(evaluation: Evaluation, answers: Answers) -> Iterator[tuple[str, str, Figure]]:
    lots = answers.lots
    labels = {name: labels_of(found, "field", lots) for name, found in answers.by_method.items()}
    means = {name: member_probabilities(found, "field").mean(axis=1) for name, found in answers.by_method.items()}
    curves = {name: metrics.risk_curve(p, labels[name], entropy(p)) for name, p in means.items()}
    yield "risk", "Risk against coverage by entropy, test fields", risk_figure(curves)
    own = member_probabilities(answers.by_kind[KNOWN], "field")
    truth = labels_of(answers.by_kind[KNOWN], "field", lots)
    after = None
    if evaluation.tempering is not None:
        after = metrics.reliability(metrics.temper(own, evaluation.tempering.temperature).mean(axis=1), truth)
    before = metrics.reliability(own.mean(axis=1), truth)
    yield (
        "reliability",
        "Reliability of test fields, before and after temperature",
        reliability_figure(before, after, evaluation.tempering),
    )
    shown = _kinds(answers)
    for score in ("entropy", "distance"):
        populations = {kind: scores[score] for kind, scores in shown.items()}
        yield f"roc-{score}", f"ROC of the {score}, whole frames", roc_figure(populations, normal=KNOWN, score=score)
    yield "entropy", "Entropy of whole frames by kind", entropy_figure({kind: s["entropy"] for kind, s in shown.items()}, len(lots))
    if evaluation.tellings:
        yield "kinds", "Telling the kinds apart from one frame and from one sample", confusion_figure(evaluation.tellings)
    if evaluation.conformal is not None:
        caption = "Coverage by lot of 90 % conformal sets, calibrated on the calibration side, on the test side"
        yield "conformal", caption, coverage_figure(evaluation.conformal.test, lots)
    chosen = max(answers.by_kind[KNOWN], key=lambda answer: answer.score.entropy)
    yield (
        "map",
        f"The test frame of largest entropy ({chosen.probe.name}) and its entropy by field",
        local_map_figure(
            chosen.probe.pixels, np.array(chosen.score.field_entropy), full_scale=FULL_SCALE, quantity="entropy of a field, nats"
        ),
    )
    for name, (kind, (probe, local)) in zip(("map-known", "map-strange"), _shown_maps(answers), strict=False):
        yield (
            name,
            f"Inverse local rigidity over a frame of {kind} ({probe.name}): larger where it is less like the training set",
            local_map_figure(probe.pixels, np.log(local), full_scale=FULL_SCALE, quantity="ln inverse local rigidity", title=kind),
        )


def _shown_maps(answers: Answers) -> list[tuple[str, tuple[Probe, NDArray[np.float32]]]]:
    """A known frame and, of the unseen lots, the one whose map varies most over the frame."""
    unseen = [item for item in answers.maps.items() if item[0].startswith("unseen")]
    known = [(KNOWN, answers.maps[KNOWN])] if KNOWN in answers.maps else []
    return known + sorted(unseen, key=lambda item: -float(np.log(item[1][1]).std()))[:1]


def _kinds(answers: Answers) -> Mapping[str, Mapping[str, NDArray[np.float64]]]:
    """The model's scores of whole frames by kind, or by family where there are too many kinds for one plot."""
    kinds = answers.by_kind
    if len(kinds) > MOST_KINDS:
        kinds = {KNOWN: kinds[KNOWN], **{k: found for k, found in kinds.items() if k.startswith("filament")}}
        kinds |= {f"all {name}": found for name, found in families(answers.by_kind).items() if name != "filament"}
    return {kind: scores_of(found, "frame") for kind, found in kinds.items()}
