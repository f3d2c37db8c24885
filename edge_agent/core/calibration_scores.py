"""A lot's calibration scores, in which each sample weighs one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class CalibrationScores:
    """The scores of frames that are known to be normal.

    Attributes:
        values: shape (n,), ascending, larger when stranger.
        weights: shape (n,), each frame's share: one in `samples`, divided by the frames of its sample; they sum to 1.
        samples: independent samples the frames came from.
    """

    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    samples: int
