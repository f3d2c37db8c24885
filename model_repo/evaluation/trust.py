"""May this answer be believed: referral with a bound, temperature, and conformal sets with the coverage they were measured to have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.core.calibration_scores import CalibrationScores
from edge_agent.uncertainty import conformal_p_value
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
        coverage, risk: on the test frames, each sample weighing one as in the bound.
    """

    asked: str
    threshold: float
    coverage: Interval
    risk: Interval


@dataclass(frozen=True, slots=True)
class Conformal:
    """Coverage of 90 % sets of lots, and how often the agent's own p-value calls a normal frame strange.

    Attributes:
        test: sets calibrated on the calibration side, on the test side: what an instrument would see.
        test_error: standard error of its pooled coverage, over test samples and over the draw of the calibration samples.
        halvings: calibration and test samples pooled and halved at random 20 times. Its expectation is 90 % by construction: it checks
            the procedure, lot by lot, and not the network.
        strange: share of normal test frames whose distance has a p-value of at most 0.1 within its lot, each sample weighing one.
    """

    test: Coverage
    test_error: float
    halvings: Coverage
    strange: Interval


def referral_rows(manifest: Manifest, test: Sequence[Answer], rng: np.random.Generator, replicates: int) -> list[ReferralRow]:
    """What each threshold that the agent may use does on frames it was not fitted to."""
    entropies = np.array([a.score.entropy for a in test])
    wrong = np.array([a.score.lot != a.probe.lot for a in test])
    groups = groups_of(test, "frame")
    weights = sample_weights(groups)

    def row(asked: str, threshold: float) -> ReferralRow:
        accepted = entropies <= threshold

        def coverage(index: NDArray[np.int64]) -> float:
            return float(np.average(accepted[index], weights=weights[index]))

        def risk(index: NDArray[np.int64]) -> float:
            return float((weights * wrong * accepted)[index].sum() / max((weights * accepted)[index].sum(), 1e-12))

        coverages = metrics.bootstrap(coverage, groups, rng=rng, replicates=replicates)
        return ReferralRow(asked, threshold, coverages, metrics.bootstrap(risk, groups, rng=rng, replicates=replicates))

    return [
        row(
            f"coverage, {point.coverage:.0%} of the calibration frames"
            if point.risk_bound is None
            else f"risk at most {point.risk_bound:.1%} (confidence {point.confidence:.0%})",
            point.entropy_threshold,
        )
        for point in manifest.referral
    ]


def temperature_effect(calibration: Sequence[Answer], test: Sequence[Answer], lots: Sequence[str]) -> Tempering | None:
    """The best temperature of the calibration fields, as `export --temperature` fits it, on the test fields; None when none is best."""
    fitted = member_probabilities(calibration, "field"), labels_of(calibration, "field", lots)
    try:
        temperature = metrics.fit_temperature(*fitted)
    except ValueError:
        return None
    return metrics.tempering(member_probabilities(test, "field"), labels_of(test, "field", lots), temperature)


def conformal(calibration: Sequence[Answer], test: Sequence[Answer], lots: Sequence[str], replicates: int) -> Conformal | None:
    """Coverage on the test side and over random halvings; None where a lot has a single sample on a side."""
    untrained = [*calibration, *test]
    sides = [calibration, test]
    samples = [[len({a.probe.group for a in side if a.probe.lot == lot}) for lot in lots] for side in sides]
    if min(min(counts) for counts in samples) < FEWEST_SAMPLES:
        return None
    rng = np.random.default_rng(2023)
    scores = [metrics.nonconformity(member_probabilities(side, "frame")) for side in (*sides, untrained)]
    labels = [labels_of(side, "frame", lots) for side in (*sides, untrained)]
    groups = [groups_of(side, "frame") for side in (*sides, untrained)]
    p_values = metrics.label_p_values(scores[0], labels[0], groups[0], scores[1], smoothing_of(test), rng=rng)
    found = metrics.coverage(metrics.prediction_sets(p_values, ALPHA), labels[1], groups[1], ALPHA)
    drawn = ALPHA * (1 - ALPHA) * sum(1 / (count + 2) for count in samples[0]) / len(lots) ** 2  # Vovk 2012, prop. 2a, by lot
    halvings = metrics.coverage_over_splits(scores[2], labels[2], groups[2], smoothing_of(untrained), alpha=ALPHA, splits=SPLITS, rng=rng)
    strange = _strange_share(calibration, test, rng, replicates)
    return Conformal(found, float(np.hypot(found.standard_error, np.sqrt(drawn))), halvings, strange)


def _strange_share(calibration: Sequence[Answer], test: Sequence[Answer], rng: np.random.Generator, replicates: int) -> Interval:
    """Of test frames whose p-value, as the agent gives it, is at most ALPHA."""
    known: dict[str, CalibrationScores] = {}
    for lot in {a.probe.lot for a in calibration}:
        held = [a for a in calibration if a.probe.lot == lot]
        weights = sample_weights([a.probe.group for a in held])
        order = np.argsort([a.score.distance for a in held], kind="stable")
        values = np.array([a.score.distance for a in held])[order]
        known[lot] = CalibrationScores(values, (weights / weights.sum())[order], len({a.probe.group for a in held}))
    smoothing = smoothing_of(test)
    strange = np.array(
        [conformal_p_value(a.score.distance, known[a.score.lot], float(u)) <= ALPHA for a, u in zip(test, smoothing, strict=True)]
    )
    groups = groups_of(test, "frame")
    weights = sample_weights(groups)
    return metrics.bootstrap(
        lambda index: float(np.average(strange[index], weights=weights[index])), groups, rng=rng, replicates=replicates
    )


def sample_weights(groups: Sequence[str]) -> NDArray[np.float64]:
    """One over the number of the frame's sample's frames; shape (n,)."""
    _, place, counts = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    return np.asarray(1 / counts[place])
