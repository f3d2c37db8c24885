"""Which entropy sends a frame to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable


def referral_threshold(points: Iterable[tuple[float, float]], coverage: float) -> float:
    """The entropy above which a frame is referred so that a share `coverage` of calibration frames is accepted.

    Args:
        points: (coverage, entropy threshold in nats) as measured, in any order.
        coverage: wanted share of accepted frames; interpolated linearly between the measured ones.

    Raises:
        ValueError: `coverage` lies outside the measured range, where a threshold would be a guess.
    """
    measured = sorted(points)
    if not measured or not measured[0][0] <= coverage <= measured[-1][0]:
        span = f"{measured[0][0]:g} to {measured[-1][0]:g}" if measured else "none"
        raise ValueError(f"coverage {coverage:g} was not measured (measured: {span})")
    coverages, thresholds = zip(*measured, strict=True)
    return float(np.interp(coverage, coverages, thresholds))
