"""How unusual a score is among calibration scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edge_agent.core.calibration_scores import CalibrationScores

HASH_DIGITS = 13  # 52 bits: with the half added below, what a double holds exactly
SPAN = 2.0 ** (4 * HASH_DIGITS)


def conformal_p_value(value: float, calibration: CalibrationScores, smoothing: float = 1.0) -> float:
    """The share of calibration scores, counting this one as one more sample, that are larger, and `smoothing` of those as large.

    Frames of a sample resemble each other, so a sample counts once, however many frames it has (Lee, Barber & Willett 2023,
    arXiv:2306.06342, sec. 3.1). For a frame of a new sample of the lot a p-value of at most a is seen in at most a share a of samples:
    proved with `smoothing` 1; with a uniform number (Vovk, Gammerman & Shafer 2005, eq. 2.20) exactly so when samples have one frame
    each and less often for small a when they have more. The frames of one sample remain alike: their p-values are not independent.

    Args:
        value: a score that is larger when stranger.
        calibration: of one lot, with a frame at least.
        smoothing: in (0, 1]; `uniform_of` the frame's content, or 1.

    Raises:
        ValueError: there are no calibration scores.

    >>> from edge_agent.core.calibration_scores import CalibrationScores
    >>> conformal_p_value(2.5, CalibrationScores(np.array([1.0, 2.0, 3.0]), np.full(3, 1 / 3), 3))
    0.5
    """
    if not len(calibration.values):
        raise ValueError("no calibration scores")
    first, behind = (int(np.searchsorted(calibration.values, value, side=side)) for side in ("left", "right"))
    larger = calibration.samples * float(calibration.weights[behind:].sum())
    as_large = calibration.samples * float(calibration.weights[first:behind].sum())
    return min((larger + smoothing * (as_large + 1)) / (calibration.samples + 1), 1.0)


def uniform_of(content_hash: str) -> float:
    """A number in (0, 1) that is fixed by a frame's content and uniform over contents; `content_hash` is hexadecimal.

    >>> uniform_of("8" + 63 * "0")
    0.5000000000000001
    """
    return (int(content_hash[:HASH_DIGITS], 16) + 0.5) / SPAN
