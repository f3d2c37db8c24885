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


def referral_threshold_for_risk(points: Iterable[tuple[float, float]], risk: float) -> float:
    """The entropy above which a frame is referred so that at most a share `risk` of the accepted answers is wrong.

    It is the threshold of the largest bound that is no larger than `risk`. Nothing is interpolated: a bound holds where it was proved.

    Args:
        points: (bound on the risk, entropy threshold in nats), in any order.
        risk: wanted share of wrong answers among the accepted.

    Raises:
        ValueError: no bound is as small as `risk`.
    """
    bounded = sorted(points)
    if not bounded:
        raise ValueError("this model's calibration bounds no risk")
    kept = [threshold for bound, threshold in bounded if bound <= risk]
    if not kept:
        raise ValueError(f"a risk of {risk:g} cannot be promised: the smallest that this model's calibration bounds is {bounded[0][0]:g}")
    return float(kept[-1])
