"""The network's outputs become predictions, and outputs that cannot be believed do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.core.errors import FrameRejectedError, ModelError
from edge_agent.core.prediction import Prediction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.core.frame import Frame
    from edge_agent.inference.manifest import Manifest

ROW_SUM_TOLERANCE = 0.02
"""Half precision moves a sum of probabilities by less than this."""


class FieldBatch:
    """The fields of several frames as one batch, and each frame's part of the answers."""

    def __init__(self, frames: Sequence[Frame], tiles: Sequence[tuple[NDArray[np.float32], tuple[int, int]]]) -> None:
        self._frames = frames
        self._grids = [grid for _, grid in tiles]
        self.fields: NDArray[np.float32] = np.concatenate([fields for fields, _ in tiles])

    def predictions(
        self, probabilities: NDArray[np.float32], distances: NDArray[np.float32], manifest: Manifest, inference_s: float
    ) -> list[Prediction]:
        """Split the answers by frame; the time is shared by the number of fields.

        A member with a value that is not finite, or with rows that are no probabilities, is left out of that frame's prediction, which
        then has fewer members than it expects. A frame that no member answers raises FrameRejectedError, `thing` its content hash.
        """
        check_shapes(probabilities, distances, len(self.fields), manifest)
        predictions, start = [], 0
        for frame, (rows, columns) in zip(self._frames, self._grids, strict=True):
            part = slice(start, start + rows * columns)
            start = part.stop
            p, d = probabilities[part], distances[part]
            answered = believable_members(p, d)
            if not answered.any():
                raise FrameRejectedError(
                    frame.content_hash,
                    "rejected_by_model",
                    f"no member of {manifest.name} gives finite probabilities for it",
                    "look at the frame; if it is sound, check the model with `edge-agent doctor`",
                )
            predictions.append(
                Prediction(
                    probabilities=p if answered.all() else p[:, answered],
                    distances=d if answered.all() else d[:, answered],
                    grid=(rows, columns),
                    lots=manifest.lots,
                    model=manifest.identity,
                    members_expected=manifest.members,
                    inference_s=inference_s * rows * columns / len(self.fields),
                )
            )
        return predictions


def check_shapes(probabilities: NDArray[np.float32], distances: NDArray[np.float32], fields: int, manifest: Manifest) -> None:
    """Raise ModelError unless the outputs have the manifest's shapes for `fields` fields."""
    wanted = (fields, manifest.members, len(manifest.lots))
    if probabilities.shape != wanted or distances.shape != wanted[:2]:
        raise ModelError(
            f"model {manifest.name}",
            f"answers {probabilities.shape} and {distances.shape}, its manifest expects {wanted} and {wanted[:2]}",
            "export and lay out the model again so that graph and manifest belong together",
        )


def believable_members(probabilities: NDArray[np.float32], distances: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which members answered every field with finite probabilities that sum to 1 and finite distances; shape (members,)."""
    with np.errstate(invalid="ignore"):
        sums = np.abs(probabilities.sum(axis=2) - 1) <= ROW_SUM_TOLERANCE
    sound = np.isfinite(probabilities).all(axis=(0, 2)) & np.isfinite(distances).all(axis=0)
    answered: NDArray[np.bool_] = sound & sums.all(axis=0)
    return answered
