"""The entropies above which frames go to a person, as measured on the calibration side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.inference import ReferralPoint
from model_repo.frames import entropies_of
from model_repo.metrics import entropy_candidates, referral_for_coverage, referral_for_risk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.core.prediction import Prediction
    from model_repo.data.source import Probe
    from model_repo.metrics import Referral

COVERAGES = (0.7, 0.8, 0.9, 0.95, 1.0)
RISKS = (0.005, 0.01, 0.02, 0.05, 0.1)


def referral_points(predictions: Sequence[Prediction], frames: Sequence[Probe]) -> tuple[ReferralPoint, ...]:
    """A threshold for each coverage, and for each risk that the calibration samples can bound; frames carry their lot and sample."""
    entropies = entropies_of(predictions)
    lots = predictions[0].lots
    named = [lots[int(p.probabilities.mean(axis=(0, 1)).argmax())] for p in predictions]
    wrong = np.array([name != frame.lot for name, frame in zip(named, frames, strict=True)])
    groups = [frame.group for frame in frames]
    found = [referral_for_coverage(entropies, wrong, groups, coverage) for coverage in COVERAGES]
    for risk in RISKS:
        try:
            found.append(referral_for_risk(entropies, wrong, groups, risk, candidates=entropy_candidates(len(lots))))
        except ValueError:  # too few samples for so small a risk: the manifest offers no such point
            continue
    return tuple(_point(referral) for referral in found)


def _point(referral: Referral) -> ReferralPoint:
    return ReferralPoint(
        coverage=round(referral.coverage, 6),
        entropy_threshold=round(referral.threshold, 6),
        risk=round(referral.risk, 6),
        risk_bound=referral.risk_bound,
        confidence=referral.confidence,
    )
