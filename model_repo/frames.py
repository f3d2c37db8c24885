"""Whole frames through the exported graph, the way the agent does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.core.prediction import ModelIdentity, Prediction
from edge_agent.inference import tile
from edge_agent.uncertainty import score
from model_repo.data.micrographs import FULL_SCALE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from model_repo.recipe import Recipe


def frame_predictions(session: Any, frames: Iterable[NDArray[np.uint8]], recipe: Recipe, lots: tuple[str, ...]) -> list[Prediction]:
    """Predict frames, each of shape (height, width), one session call a frame."""
    identity = ModelIdentity(recipe.name, recipe.version, "")
    predictions = []
    for pixels in frames:
        fields, grid = tile(pixels, FULL_SCALE, recipe.preprocessing)
        probabilities, distances = session.run(["probabilities", "distances"], {"fields": fields})
        predictions.append(Prediction(probabilities, distances, grid, lots, identity, probabilities.shape[1], 0.0))
    return predictions


def entropies_of(predictions: Sequence[Prediction]) -> NDArray[np.float64]:
    """Each frame's entropy, nats."""
    return np.array([score(prediction).entropy for prediction in predictions])
