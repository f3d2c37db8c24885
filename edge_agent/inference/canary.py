"""An inference with a known answer: the only proof that a model still computes what it was trained to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.core.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.inference.manifest import Canary, Manifest


def canary_fields(px: int = 64) -> NDArray[np.float32]:
    """Formula `sinusoids-1`: two fields of crossed sinusoids, shape (2, 1, px, px), in [0, 1], the same everywhere."""
    y, x = np.mgrid[0:px, 0:px] * (2 * np.pi / px)
    coarse = 0.5 + 0.3 * np.sin(3 * x + 0.5) * np.cos(2 * y) + 0.15 * np.sin(7 * x + 5 * y)
    fine = 0.5 + 0.2 * np.sin(11 * x - 4 * y) + 0.2 * np.cos(9 * y + 1.0) * np.sin(13 * x) + 0.1 * np.cos(x)
    return np.stack([coarse, fine])[:, None].astype(np.float32)


def canary_differences(canary: Canary, probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Each member's largest absolute difference from the known answer, shape (members,); NaN for an answer that is not finite.

    Raises:
        ValueError: `probabilities` has another shape than the known answer.
    """
    known = np.asarray(canary.probabilities, dtype=np.float64)
    if probabilities.shape != known.shape:
        raise ValueError(f"the canary was answered with shape {probabilities.shape}, its known answer has {known.shape}")
    finite = np.isfinite(probabilities).all(axis=(0, 2))
    differences: NDArray[np.float64] = np.where(finite, np.abs(probabilities - known).max(axis=(0, 2)), np.nan)
    return differences


@dataclass(frozen=True, slots=True)
class RollCall:
    """What the canary found of each member.

    Attributes:
        stale: places of members whose answer is finite but not the known one, from 0.
        missing: places of members without a finite answer.
        said: one line that names both; "" when every member gave the known answer.
    """

    stale: frozenset[int] = frozenset()
    missing: frozenset[int] = frozenset()
    said: str = ""


def call_roll(
    manifest: Manifest, probabilities: NDArray[np.float32], distances: NDArray[np.float32], tolerance: float, thing: str, remedy: str
) -> RollCall:
    """Hold every member's answer to the canary against the known one; raise ModelError when no member gives it.

    Args:
        manifest: holds the known answer and the members' names.
        probabilities: answer to `canary_fields`, shape (fields, members, lots).
        distances: the same answer's, shape (fields, members); there is no known one, but they must be finite.
        tolerance: largest difference of a member that computes what it was trained to.
        thing: what the error is about.
        remedy: the way out.
    """
    try:
        differences = canary_differences(manifest.canary, probabilities)
    except ValueError as error:
        raise ModelError(thing, str(error), remedy) from error
    differences = np.where(np.isfinite(distances).all(axis=0), differences, np.nan)
    missing = frozenset(np.flatnonzero(np.isnan(differences)).tolist())
    stale = frozenset(np.flatnonzero(differences > tolerance).tolist())
    if len(missing) + len(stale) == manifest.members:
        least = np.nanmin(differences) if stale else float("inf")
        raise ModelError(thing, f"its canary differs from the known answer by {least:.3g}, more than {tolerance:.3g}", remedy)
    told = [f"{manifest.member_name(place)} gives no finite answer to the canary" for place in sorted(missing)]
    told += [
        f"{manifest.member_name(place)} is stale: its canary differs from the known answer by {differences[place]:.3g}"
        for place in sorted(stale)
    ]
    return RollCall(stale, missing, f"{'; '.join(told)}; {remedy}" if told else "")
