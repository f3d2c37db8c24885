"""What each score notices of each kind of shift, and whether one frame or one sample tells the kinds apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from model_repo import metrics
from model_repo.evaluation.answers import features_of, groups_of, labels_of, member_probabilities, scores_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from model_repo.evaluation.answers import Answer, Level, Usual
    from model_repo.metrics import Interval, Telling

FAMILIES = ("filament", "unseen", "unrelated")
FEWEST_SAMPLES = 2


@dataclass(frozen=True, slots=True)
class Detection:
    """One row of the table of shifts: the AUC of each score against the test frames of known lots.

    Attributes:
        unit: what the intervals are over: samples, or lots where the claim is about lots.
        accuracy: of the shifted frames where they still have a known lot; None elsewhere.
        accuracy_before: of the same samples' unshifted frames.
    """

    kind: str
    origin: str
    level: str
    frames: int
    groups: int
    count: int
    auc: Mapping[str, Interval]
    unit: str
    accuracy: float | None
    accuracy_before: float | None


def detection(
    kind: str,
    origin: str,
    level: Level,
    normal: Sequence[Answer],
    strange: Sequence[Answer],
    usual: Usual,
    lots: Sequence[str],
    rng: np.random.Generator,
    replicates: int,
    *,
    by_lot: bool = False,
) -> Detection:
    """One row; `by_lot` resamples the strange lots as a whole."""
    before, after = scores_of(normal, level, usual), scores_of(strange, level, usual)
    groups = [groups_of(normal, level), groups_of(strange, level)]
    units = [groups[0], [group.partition("/")[0] for group in groups[1]] if by_lot else groups[1]]
    draws = list(metrics.resamples(units, rng, replicates))
    found = {}
    for name, low in before.items():
        high = after[name]
        spread = np.percentile([metrics.auc(low[i], high[j]) for i, j in draws], [2.5, 97.5])
        found[name] = metrics.Interval(metrics.auc(low, high), float(spread[0]), float(spread[1]))
    labelled = all(a.probe.lot for a in strange)
    shown = set(groups[1])
    same = [a for a in normal if a.probe.group in shown]
    right, before_right = (_accuracy(frames, level, lots) if labelled and frames else None for frames in (strange, same))
    unit = "lots" if by_lot else "samples"
    return Detection(kind, origin, level, len(strange), len(shown), len(groups[1]), found, unit, right, before_right)


def _accuracy(answers: Sequence[Answer], level: Level, lots: Sequence[str]) -> float:
    return metrics.accuracy(member_probabilities(answers, level).mean(axis=1), labels_of(answers, level, lots))


def family_of(kind: str) -> str | None:
    """The family a kind's name begins with."""
    return next((family for family in FAMILIES if kind.startswith(family)), None)


def families(answers: Mapping[str, Sequence[Answer]]) -> dict[str, list[Answer]]:
    """The kinds of each family joined: all filament changes, all unseen lots, everything unrelated."""
    joined: dict[str, list[Answer]] = {}
    for kind, found in answers.items():
        family = family_of(kind)
        if family is not None:
            joined.setdefault(family, []).extend(found)
    return joined


def tell_kinds(answers: Mapping[str, Sequence[Answer]], normal: str, usual: Usual) -> dict[str, Telling]:
    """How well known frames and the families are told apart: from one frame, and from the mean of one sample's frames.

    Empty where a kind has a single sample, which cannot be both learnt and tested.
    """
    populations = {"known lots": answers[normal], **families(answers)}
    features: list[NDArray[Any]] = [features_of(found, usual) for found in populations.values()]
    kinds = [kind for kind, found in populations.items() for _ in found]
    groups = [answer.probe.group for found in populations.values() for answer in found]
    if min(len({answer.probe.group for answer in found}) for found in populations.values()) < FEWEST_SAMPLES:
        return {}
    rows = np.concatenate(features)
    return {
        "one frame": metrics.tell_kinds_apart(rows, kinds, groups),
        "one sample": metrics.tell_kinds_apart(*metrics.sample_means(rows, kinds, groups)),
    }
