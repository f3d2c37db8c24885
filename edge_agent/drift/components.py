"""The seven numbers of a frame that are judged, and the channel each belongs to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_agent.core.frame import AcquisitionStatistics
    from edge_agent.core.prediction import Score

COMPONENTS: tuple[str, ...] = ("entropy", "mutual_information", "distance", "mean", "log_sigma", "log_noise", "log_sharpness")
"""Their order in every vector of this room."""

NETWORK = frozenset({0, 1, 2})
"""Places of those that the network answers: channel U (entropy, mutual information) and channel D (distance)."""

ACQUISITION = (3, 4, 5, 6)
"""Places of channel A: how the full-resolution frame was taken."""

ENTROPY_FLOOR = 1e-3
"""Nats added before the logarithm: below it, entropies are all as good as none."""


def component_values(score: Score, statistics: AcquisitionStatistics) -> tuple[float, ...]:
    """A frame's components in the order of COMPONENTS; entropies as logarithms, so that their spread is near normal."""
    return (
        math.log(max(score.entropy, 0.0) + ENTROPY_FLOOR),
        math.log(max(score.mutual_information, 0.0) + ENTROPY_FLOOR),
        score.distance,
        statistics.mean,
        statistics.log_sigma,
        statistics.log_noise,
        statistics.log_sharpness,
    )
