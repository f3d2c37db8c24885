"""May this answer be believed: referral with a bound, temperature, and conformal sets with the coverage they were measured to have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from model_repo import metrics
from model_repo.evaluation.answers import groups_of, labels_of, member_probabilities, smoothing_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.inference import Manifest
    from model_repo.evaluation.answers import Answer
    from model_repo.metrics import Coverage, Interval, Tempering

ALPHA = 0.1
SPLITS = 20
FEWEST_SAMPLES = 2


@dataclass(frozen=True, slots=True)
class ReferralRow:
    """One threshold of the manifest on the test frames.

    Attributes:
        asked: "coverage 90 %" or "risk at most 2 % (confidence 90 %)".
        threshold: entropy in nats.
        coverage, risk: on the test frames, each sample weighing one.
    """

    asked: str
    threshold: float
    coverage: Interval
    risk: Interval


def referral_rows(manifest: Manifest, test: Sequence[Answer], rng: np.random.Generator, replicates: int) -> list[ReferralRow]:
    """What each threshold that the agent may use does on frames it was not fitted to."""
    entropies = np.array([a.score.entropy for a in test])
    wrong = np.array([a.score.lot != a.probe.lot for a in test])
    groups = groups_of(test, "frame")

    def row(asked: str, threshold: float) -> ReferralRow:
        accepted = entropies <= threshold

        def coverage(index: NDArray[np.int64]) -> float:
            return float(accepted[index].mean())

        def risk(index: NDArray[np.int64]) -> float:
            return float((wrong & accepted)[index].sum() / max(accepted[index].sum(), 1))

        coverages = metrics.bootstrap(coverage, groups, rng=rng, replicates=replicates)
        return ReferralRow(asked, threshold, coverages, metrics.bootstrap(risk, groups, rng=rng, replicates=replicates))

    return [
        row(
            f"coverage {point.coverage:.0%}"
            if point.risk_bound is None
            else f"risk at most {point.risk_bound:.1%} (confidence {point.confidence:.0%})",
            point.entropy_threshold,
        )
        for point in manifest.referral
    ]


def temperature_effect(calibration: Sequence[Answer], test: Sequence[Answer], lots: Sequence[str]) -> Tempering | None:
    """The best temperature of the calibration frames, and what it does on the test frames; None when none is best."""
    fitted = member_probabilities(calibration, "frame"), labels_of(calibration, "frame", lots)
    try:
        temperature = metrics.fit_temperature(*fitted)
    except ValueError:
        return None
    return metrics.tempering(member_probabilities(test, "frame"), labels_of(test, "frame", lots), temperature)


def conformal(calibration: Sequence[Answer], test: Sequence[Answer], lots: Sequence[str]) -> Coverage | None:
    """Coverage of 90 % sets of lots over 20 random halvings of each lot's untrained samples; None with a lot of one sample."""
    untrained = [*calibration, *test]
    labels, groups = labels_of(untrained, "frame", lots), groups_of(untrained, "frame")
    samples = [len({group for group, label in zip(groups, labels, strict=True) if label == lot}) for lot in range(len(lots))]
    if min(samples) < FEWEST_SAMPLES:
        return None
    scores = metrics.nonconformity(member_probabilities(untrained, "frame"))
    rng = np.random.default_rng(2023)
    return metrics.coverage_over_splits(scores, labels, groups, smoothing_of(untrained), alpha=ALPHA, splits=SPLITS, rng=rng)
