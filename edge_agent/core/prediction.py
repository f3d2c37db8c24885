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
        distances: shape (fields, members), squared Mahalanobis distance of the member's penultimate
            features to the nearest lot's mean.
        grid: (rows, columns) of the fields on the frame; rows * columns = fields, row-major.
        lots: the classes' names.
        model: which model answered.
        members_expected: the members the manifest promises; `probabilities.shape[1]` answered.
        inference_s: seconds this frame's share of the inference took.
    """

    probabilities: NDArray[np.float32]
    distances: NDArray[np.float32]
    grid: tuple[int, int]
    lots: tuple[str, ...]
    model: ModelIdentity
    members_expected: int
    inference_s: float


@dataclass(frozen=True, slots=True)
class Score:
    """What a frame's prediction amounts to; floats are rounded to 6 digits so that repeats judge alike.

    Attributes:
        lot: most probable lot.
        confidence: its probability, mean over members and fields.
        entropy: entropy of the mean prediction, nats.
        mutual_information: entropy of the mean less mean entropy of the members, nats.
        distance: mean over fields of the natural logarithm of the members' mean distance.
        p_value: conformal p-value of `distance` within the predicted lot; None without a calibration.
        referred: whether a person should decide this frame.
        field_entropy: shape (rows, columns), entropy of each field's mean prediction, nats.
        members_answering: members that answered.
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
