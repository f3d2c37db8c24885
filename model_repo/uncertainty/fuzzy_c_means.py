"""Fuzzy c-means: cluster centres by soft memberships, and the start of a Gaussian process's inducing points from them.

Bezdek 1981, Pattern Recognition with Fuzzy Objective Function Algorithms, section 11; Bi et al. 2021, eq. 3 and algorithm 1, lines 2-4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.core.errors import EdgeAgentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUBSET_PER_CENTRE = 20
COINCIDENT = 0.05
"""Centres nearer than this share of the points' root-mean-square distance from their mean are one centre."""


def fuzzy_c_means(
    points: NDArray[Any],
    clusters: int,
    *,
    fuzziness: float = 2.0,
    rng: np.random.Generator,
    tolerance: float = 1e-4,
    iterations: int = 100,
) -> NDArray[np.float64]:
    """Return the centres (clusters, d) that minimise the sum of u^fuzziness times the squared distance, from a k-means++ start.

    In many dimensions the centres may fall together at the mean of all points (Winkler, Klawonn & Kruse 2011, "Fuzzy c-means in high
    dimensional spaces"); `inducing_start` mends that.

    Args:
        points: (n, d), finite.
        clusters: number of centres, at most n.
        fuzziness: Bezdek's m, above 1; 2 as in Bi et al.
        rng: source of the start.
        tolerance: stop when no centre moves by more than this share of the points' spread.
        iterations: stop after so many steps in any case.

    Raises:
        EdgeAgentError: too few points, points that are not finite, or a fuzziness of 1 or less.
    """
    points = np.asarray(points, np.float64)
    _refuse(points, clusters, fuzziness)
    centres = spread_draw(points, clusters, rng)
    for _ in range(iterations):
        weights = memberships(points, centres, fuzziness) ** fuzziness
        total = weights.sum(axis=0)[:, None]
        moved = np.where(total > 0, (weights.T @ points) / np.maximum(total, np.finfo(float).tiny), centres)
        step = np.linalg.norm(moved - centres, axis=1).max()
        centres = moved
        if step <= tolerance * _spread(points):
            break
    return centres


def memberships(points: NDArray[Any], centres: NDArray[Any], fuzziness: float = 2.0) -> NDArray[np.float64]:
    """Degree (n, clusters) to which each point belongs to each centre; rows sum to 1."""
    distance = _squared_distances(points, centres)
    nearest = distance.min(axis=1, keepdims=True)
    # the ratio to the nearest keeps a point that lies on a centre (distance 0) free of a division by nought
    floor = np.finfo(float).tiny
    ratio = np.where(nearest > 0, nearest / np.maximum(distance, floor), distance == 0)
    closeness = ratio ** (1 / (fuzziness - 1))
    return np.asarray(closeness / closeness.sum(axis=1, keepdims=True))


def spread_draw(points: NDArray[Any], count: int, rng: np.random.Generator, near: NDArray[Any] | None = None) -> NDArray[np.float64]:
    """Draw `count` of the points, each with chance proportional to its squared distance from those drawn and from `near`.

    The k-means++ start (Arthur & Vassilvitskii 2007).
    """
    drawn: list[NDArray[np.float64]] = []
    if near is None or not len(near):
        drawn.append(points[rng.integers(len(points))])
        near = np.asarray(drawn)
    distance = _squared_distances(points, near).min(axis=1)
    while len(drawn) < count:
        chance = distance / distance.sum() if distance.sum() > 0 else None
        point = points[rng.choice(len(points), p=chance)]
        drawn.append(point)
        distance = np.minimum(distance, _squared_distances(points, point[None])[:, 0])
    return np.asarray(drawn)


def inducing_start(features: NDArray[Any], count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Start `count` inducing points (count, d) from fuzzy c-means (m = 2) on a random subset of the features (n, d).

    Centres that have fallen together are kept once and the rest replaced by features far from those that stand: two equal inducing
    points make the kernel matrix singular and one of them useless.
    """
    subset = min(len(features), SUBSET_PER_CENTRE * count)
    chosen = np.asarray(features, np.float64)[rng.choice(len(features), subset, replace=False)]
    centres = fuzzy_c_means(chosen, count, rng=rng)
    border = (COINCIDENT * _spread(chosen)) ** 2
    kept: list[NDArray[np.float64]] = []
    for centre in centres:
        if not kept or _squared_distances(centre[None], np.asarray(kept)).min() > border:
            kept.append(centre)
    missing = count - len(kept)
    standing = np.asarray(kept)
    return np.concatenate((standing, spread_draw(chosen, missing, rng, standing))) if missing else standing


def _spread(points: NDArray[Any]) -> float:
    return float(np.sqrt(points.var(axis=0).sum()))


def _squared_distances(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    origin = b.mean(axis=0)
    a, b = a - origin, b - origin  # large offsets would cancel in the product form below
    return np.asarray(np.maximum((a**2).sum(axis=1)[:, None] - 2 * a @ b.T + (b**2).sum(axis=1), 0.0))


def _refuse(points: NDArray[Any], clusters: int, fuzziness: float) -> None:
    if points.ndim != 2 or not np.isfinite(points).all():
        raise EdgeAgentError("fuzzy c-means", "the points are not a finite array of shape (n, d)", "look for NaN in the features")
    if not 1 <= clusters <= len(points):
        reason = f"{clusters} centres cannot be found among {len(points)} points"
        raise EdgeAgentError("fuzzy c-means", reason, "ask for fewer centres or give more points")
    if fuzziness <= 1:
        raise EdgeAgentError("fuzzy c-means", f"a fuzziness of {fuzziness:g} has no soft memberships", "use a value above 1, usually 2")
