"""Fuzzy c-means finds clusters that were planted, and inducing points start apart even where it fails."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.errors import EdgeAgentError
from model_repo.uncertainty.fuzzy_c_means import fuzzy_c_means, inducing_start, memberships


@pytest.mark.parametrize("dimensions", [2, 5])
def test_planted_clusters_are_found(dimensions):
    rng = np.random.default_rng(1)
    planted = 6.0 * np.array([[0, 0, 0, 0, 0], [1, 0, 0, 1, 0], [0, 1, 0, 0, 1], [1, 1, 1, 0, 0]])[:, :dimensions]
    points = np.concatenate([centre + rng.normal(0, 0.3, (80, dimensions)) for centre in planted])
    found = fuzzy_c_means(points, 4, rng=rng)
    distance = np.linalg.norm(found[:, None] - planted, axis=2)
    assert sorted(distance.argmin(axis=1)) == [0, 1, 2, 3]
    assert distance.min(axis=1).max() < 0.2


def test_a_centre_is_the_weighted_mean_of_its_members():
    """Bezdek's two conditions hold at the fixed point, by direct evaluation."""
    points = np.random.default_rng(2).normal(size=(60, 2))
    centres = fuzzy_c_means(points, 3, rng=np.random.default_rng(0), tolerance=1e-12, iterations=2000)
    u = np.empty((60, 3))
    for i, x in enumerate(points):
        for j, c in enumerate(centres):
            u[i, j] = 1 / sum((np.linalg.norm(x - c) / np.linalg.norm(x - other)) ** 2 for other in centres)
    assert memberships(points, centres) == pytest.approx(u, abs=1e-9)
    assert centres == pytest.approx((u**2).T @ points / (u**2).sum(axis=0)[:, None], abs=1e-8)


@given(st.integers(0, 100), st.floats(1.1, 4))
def test_memberships_sum_to_one_even_on_a_centre(seed, fuzziness):
    points = np.random.default_rng(seed).normal(size=(9, 3))
    u = memberships(points, points[:4], fuzziness)
    assert u.sum(axis=1) == pytest.approx(np.ones(9))
    assert u[:4] == pytest.approx(np.eye(4), abs=1e-4)


def test_inducing_points_stand_apart_where_the_centres_fall_together():
    """In 64 dimensions without clusters every centre goes to the mean (Winkler et al. 2011)."""
    points = np.random.default_rng(3).normal(size=(400, 64))
    centres = fuzzy_c_means(points, 10, rng=np.random.default_rng(0))
    assert np.ptp(centres, axis=0).max() < 0.01
    start = inducing_start(points, 10, np.random.default_rng(0))
    apart = np.linalg.norm(start[:, None] - start, axis=2)[np.triu_indices(10, 1)]
    assert apart.min() > 1


@pytest.mark.parametrize(
    ("points", "clusters", "fuzziness", "word"),
    [
        (np.full((5, 2), np.nan), 2, 2.0, "NaN"),
        (np.zeros((3, 2)), 4, 2.0, "fewer centres"),
        (np.zeros((3, 2)), 2, 1.0, "above 1"),
    ],
)
def test_bad_points_are_refused(points, clusters, fuzziness, word):
    with pytest.raises(EdgeAgentError, match=word):
        fuzzy_c_means(points, clusters, fuzziness=fuzziness, rng=np.random.default_rng(0))
