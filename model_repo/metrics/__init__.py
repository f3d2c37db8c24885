"""The figures of an evaluation, on plain arrays; the independent unit is the sample, not the frame."""

from __future__ import annotations

from model_repo.metrics.conformal import (
    Coverage,
    LotCoverage,
    binomial_p_value,
    coverage,
    coverage_over_splits,
    label_p_values,
    nonconformity,
    prediction_sets,
)
from model_repo.metrics.intervals import Interval, auc_table, bootstrap, bootstrap_interval, paired_difference, resamples
from model_repo.metrics.kinds import Telling, sample_means, tell_kinds_apart
from model_repo.metrics.learning import LearningCurve, PowerLaw, fit_power_law, learning_curve
from model_repo.metrics.quality import SMALLEST_PROBABILITY, Reliability, accuracy, expected_calibration_error, nll, reliability
from model_repo.metrics.risk import area_under_risk_curve, risk_at_coverage, risk_curve
from model_repo.metrics.roc import auc, roc_curve
from model_repo.metrics.selective import (
    Referral,
    binomial_bound,
    entropy_candidates,
    referral_for_coverage,
    referral_for_risk,
    referral_for_risk_of_independent_frames,
    risk_bound,
)
from model_repo.metrics.temperature import Tempering, fit_temperature, temper, tempering

__all__ = [
    "SMALLEST_PROBABILITY",
    "Coverage",
    "Interval",
    "LearningCurve",
    "LotCoverage",
    "PowerLaw",
    "Referral",
    "Reliability",
    "Telling",
    "Tempering",
    "accuracy",
    "area_under_risk_curve",
    "auc",
    "auc_table",
    "binomial_bound",
    "binomial_p_value",
    "bootstrap",
    "bootstrap_interval",
    "coverage",
    "coverage_over_splits",
    "entropy_candidates",
    "expected_calibration_error",
    "fit_power_law",
    "fit_temperature",
    "label_p_values",
    "learning_curve",
    "nll",
    "nonconformity",
    "paired_difference",
    "prediction_sets",
    "referral_for_coverage",
    "referral_for_risk",
    "referral_for_risk_of_independent_frames",
    "reliability",
    "resamples",
    "risk_at_coverage",
    "risk_bound",
    "risk_curve",
    "roc_curve",
    "sample_means",
    "tell_kinds_apart",
    "temper",
    "tempering",
]
