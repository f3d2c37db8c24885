"""From Student's t to the normal deviate with the same tail."""

from __future__ import annotations

from math import copysign, log1p, sqrt


def normal_score(t: float, degrees: float | None) -> float:
    """Normal deviate as improbable as `t` with `degrees` of freedom; `t` itself where they are None, which stands for infinitely many.

    Wallace's second approximation (1959, Ann. Math. Stat. 30, 1124): within 0.02 for 5 degrees of freedom or more.

    >>> round(normal_score(4.0, 15), 2), normal_score(4.0, None)
    (3.26, 4.0)
    """
    if degrees is None:
        return t
    return copysign((8 * degrees + 1) / (8 * degrees + 3) * sqrt(degrees * log1p(t * t / degrees)), t)
