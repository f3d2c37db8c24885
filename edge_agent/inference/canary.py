"""An inference with a known answer: the only proof that a model still computes what it was trained to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.inference.manifest import Canary


def canary_fields(px: int = 64) -> NDArray[np.float32]:
    """Formula `sinusoids-1`: two fields of crossed sinusoids, shape (2, 1, px, px), in [0, 1], the same everywhere."""
    y, x = np.mgrid[0:px, 0:px] * (2 * np.pi / px)
    coarse = 0.5 + 0.3 * np.sin(3 * x + 0.5) * np.cos(2 * y) + 0.15 * np.sin(7 * x + 5 * y)
    fine = 0.5 + 0.2 * np.sin(11 * x - 4 * y) + 0.2 * np.cos(9 * y + 1.0) * np.sin(13 * x) + 0.1 * np.cos(x)
    return np.stack([coarse, fine])[:, None].astype(np.float32)


def canary_difference(canary: Canary, probabilities: NDArray[np.float32]) -> float:
    """Largest absolute difference from the known answer; infinite for another shape or a value that is not finite."""
    known = np.asarray(canary.probabilities, dtype=np.float64)
    if probabilities.shape != known.shape or not np.isfinite(probabilities).all():
        return float("inf")
    return float(np.abs(probabilities - known).max())
