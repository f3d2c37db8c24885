"""From every member's answer to one frame's score: entropy, mutual information, distance, p-value, referral. Pure NumPy."""

from __future__ import annotations

from edge_agent.uncertainty.conformal import conformal_p_value, uniform_of
from edge_agent.uncertainty.information import entropy, mutual_information
from edge_agent.uncertainty.referral import referral_threshold, referral_threshold_for_risk
from edge_agent.uncertainty.scoring import p_value_of, score

__all__ = [
    "conformal_p_value",
    "entropy",
    "mutual_information",
    "p_value_of",
    "referral_threshold",
    "referral_threshold_for_risk",
    "score",
    "uniform_of",
]
