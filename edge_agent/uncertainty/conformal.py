"""How unusual a score is among calibration scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def conformal_p_value(value: float, calibration: NDArray[Any]) -> float:
    """The share of calibration scores, counting this one, that are at least as large as `value`; in (0, 1].

    Valid when the frame is exchangeable with the calibration frames (Vovk, Gammerman & Shafer 2005, eq. 2.20): not for
    frames of one sample against frames of others.

    Args:
        value: a score that is larger when stranger.
        calibration: shape (n,), ascending; n >= 1.

    >>> conformal_p_value(2.5, np.array([1.0, 2.0, 3.0]))
    0.5
    """
    count = len(calibration)
    if not count:
        raise ValueError("no calibration scores")
    return float((count - np.searchsorted(calibration, value, side="left") + 1) / (count + 1))
