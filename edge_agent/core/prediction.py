"""What the ensemble answers, and what is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model answered: name, version and the SHA-256 of its ONNX graph."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """Every member's answer for every field of one frame.

    Attributes:
        probabilities: shape (fields, members, lots), each row sums to 1.
        distances: shape (fields, members), how far each field lies from the training set; `distance_kind` says in what sense.
        grid: (rows, columns) of the fields on the frame; rows * columns = fields, row-major.
        lots: the classes' names.
        model: which model answered.
        members_expected: the members the manifest promises; `probabilities.shape[1]` answered and are believed.
        inference_s: seconds this frame's share of the inference took.
        distance_kind: mahalanobis (squared distance to the nearest lot's mean), rigidity (inverse last-layer prediction rigidity) or
            variance (of a Gaussian process).
        members_missing: names of members without an answer: not finite, or no probabilities.
        members_stale: names of members that were left out because they no longer give the model's known answer.
        local_maps: shape (fields, rows, columns), inverse local rigidity, dimensionless, larger where the field is less like the
            training set; None when it was not asked for or the model has none.
    """

    probabilities: NDArray[np.float32]
    distances: NDArray[np.float32]
    grid: tuple[int, int]
    lots: tuple[str, ...]
    model: ModelIdentity
    members_expected: int
    inference_s: float
    distance_kind: str = "mahalanobis"
    members_missing: tuple[str, ...] = ()
    members_stale: tuple[str, ...] = ()
    local_maps: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """What a frame's prediction amounts to; floats are rounded to 6 digits so that repeats judge alike.

    Attributes:
        lot: most probable lot.
        confidence: its probability, mean over members and fields.
        entropy: entropy of the mean prediction, nats.
        mutual_information: entropy of the mean less mean entropy of the members, nats.
        distance: mean over fields of the natural logarithm of the members' mean distance.
        p_value: conformal p-value of `distance` within the predicted lot; None without a calibration, and where members are left out,
            since the calibration was made with all of them.
        referred: whether a person should decide this frame; always when referral is on and members are left out.
        field_entropy: shape (rows, columns), entropy of each field's mean prediction, nats.
        members_answering: members the score is made of.
        members_missing, members_stale: names of those left out, see Prediction.
    """

    lot: str
    confidence: float
    entropy: float
    mutual_information: float
    distance: float
    p_value: float | None
    referred: bool
    field_entropy: tuple[tuple[float, ...], ...]
    members_answering: int
    members_missing: tuple[str, ...] = ()
    members_stale: tuple[str, ...] = ()
