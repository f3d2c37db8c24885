"""One frame's score from every member's answer for every field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.core.prediction import Score
from edge_agent.uncertainty.conformal import conformal_p_value
from edge_agent.uncertainty.information import entropy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.core.calibration_scores import CalibrationScores
    from edge_agent.core.prediction import Prediction

DIGITS = 6  # a runtime's last bits may differ from run to run; judged scores may not
SMALLEST_DISTANCE = 1e-12


def score(
    prediction: Prediction,
    referral_threshold: float | None = None,
    calibration_distances: Mapping[str, CalibrationScores] | None = None,
    smoothing: float = 1.0,
) -> Score:
    """Score one frame: a member's frame probability is its mean over the fields.

    With fewer members than the calibration had, scores are not comparable with it: no p-value is given, and where frames are referred at
    all, this one is.

    Args:
        prediction: probabilities (fields, members, lots), distances (fields, members).
        referral_threshold: entropy in nats above which the frame is referred; None refers nothing.
        calibration_distances: each lot's calibration distances; a lot that is absent or empty gives no p-value.
        smoothing: of the p-value, see `conformal_p_value`.

    Raises:
        ValueError: no field or no member answered, or the grid disagrees with the fields.
    """
    probabilities = np.asarray(prediction.probabilities, np.float64)
    fields, members, _ = probabilities.shape
    rows, columns = prediction.grid
    if not fields or not members or rows * columns != fields:
        raise ValueError(f"{fields} fields, {members} members, grid {rows} x {columns}: nothing that could be scored")
    per_field = np.add.reduce(probabilities, axis=1) / members
    per_member = np.add.reduce(probabilities, axis=0) / fields
    mean = np.add.reduce(per_member, axis=0) / members
    entropies = entropy(np.concatenate((per_field, per_member, mean[None])))
    total = float(entropies[-1])
    distances = np.add.reduce(np.asarray(prediction.distances, np.float64), axis=1) / members
    distance = round(float(np.add.reduce(np.log(np.maximum(distances, SMALLEST_DISTANCE))) / fields), DIGITS)
    place = int(mean.argmax())
    lot = prediction.lots[place]
    whole = members == prediction.members_expected
    calibration = (calibration_distances or {}).get(lot) if whole else None
    rounded = round(total, DIGITS)
    field_entropy = [round(value, DIGITS) for value in entropies[:fields].tolist()]
    return Score(
        lot=lot,
        confidence=round(float(mean[place]), DIGITS),
        entropy=rounded,
        mutual_information=round(max(total - float(np.add.reduce(entropies[fields:-1])) / members, 0.0), DIGITS),
        distance=distance,
        p_value=p_value_of(distance, calibration, smoothing),
        referred=referral_threshold is not None and (rounded > referral_threshold or not whole),
        field_entropy=tuple(tuple(field_entropy[row * columns : (row + 1) * columns]) for row in range(rows)),
        members_answering=members,
        members_missing=prediction.members_missing,
        members_stale=prediction.members_stale,
    )


def p_value_of(distance: float, calibration: CalibrationScores | None, smoothing: float) -> float | None:
    """The p-value that a frame's score holds; None without calibration scores."""
    if calibration is None or not len(calibration.values):
        return None
    return round(conformal_p_value(distance, calibration, smoothing), DIGITS)
