"""Whether a compiled plan still is the model: every member's answers on the same fields, compared one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from edge_agent.core.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Answers: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32]]
    """Probabilities (fields, members, lots) and distances (fields, members)."""

Precision: TypeAlias = Literal["fp32", "fp16"]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Largest absolute difference of a probability, and of the natural logarithm of a distance."""

    probability: float
    log_distance: float


TOLERANCES: dict[Precision, Tolerance] = {"fp32": Tolerance(1e-3, 1e-2), "fp16": Tolerance(2e-2, 1e-1)}


@dataclass(frozen=True, slots=True)
class Agreement:
    """The largest differences over all fields, and the members they were found in; infinite where an answer is not finite."""

    probability: float
    probability_member: int
    log_distance: float
    distance_member: int


def compare(reference: Answers, candidate: Answers) -> Agreement:
    """Compare the answers of two runs on the same fields; raise ModelError for other shapes."""
    for ours, theirs in zip(reference, candidate, strict=True):
        if ours.shape != theirs.shape:
            raise ModelError("the plan", f"answers with shape {theirs.shape} where the ONNX gives {ours.shape}", "export the model again")
    probability = _by_member(np.abs(candidate[0] - reference[0]).max(axis=2))
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = _by_member(np.abs(np.log(candidate[1]) - np.log(reference[1])))
    return Agreement(float(probability.max()), int(probability.argmax()), float(distance.max()), int(distance.argmax()))


def refuse_difference(agreement: Agreement, precision: Precision) -> None:
    """Raise ModelError, naming the member, when a difference exceeds what `precision` excuses."""
    allowed = TOLERANCES[precision]
    remedy = "build with --precision fp32" if precision == "fp16" else "update TensorRT and the driver, or lay out for onnxruntime"
    if not agreement.probability <= allowed.probability:
        raise ModelError(
            f"the {precision} plan",
            f"member {agreement.probability_member} differs from the ONNX by {agreement.probability:.3g} in probability, "
            f"more than {allowed.probability:g}; it is refused",
            remedy,
        )
    if not agreement.log_distance <= allowed.log_distance:
        raise ModelError(
            f"the {precision} plan",
            f"member {agreement.distance_member} differs from the ONNX by {agreement.log_distance:.3g} in log distance, "
            f"more than {allowed.log_distance:g}; it is refused",
            remedy,
        )


def _by_member(differences: NDArray[np.float32]) -> NDArray[np.float32]:
    worst: NDArray[np.float32] = np.where(np.isfinite(differences), differences, np.inf).max(axis=0)
    return worst
