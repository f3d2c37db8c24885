"""The network's outputs become predictions, and outputs that cannot be believed do not: a member left out is named, never averaged over."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_agent.core.errors import FrameRejectedError, ModelError, PredictorUnavailableError
from edge_agent.core.prediction import Prediction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.core.frame import Frame
    from edge_agent.inference.manifest import Manifest, Tensor

ROW_SUM_TOLERANCE = 0.02
"""Half precision moves a sum of probabilities by less than this."""


class Answers(NamedTuple):
    """What the graph returned for a batch of fields.

    Attributes:
        probabilities: shape (fields, members, lots).
        distances: shape (fields, members).
        local_maps: shape (fields, rows, columns); None when they were not asked for.
    """

    probabilities: NDArray[np.float32]
    distances: NDArray[np.float32]
    local_maps: NDArray[np.float32] | None = None

    @classmethod
    def joined(cls, parts: Sequence[Answers]) -> Answers:
        """One from the answers to consecutive requests, which all asked for the same."""
        probabilities, distances, maps = zip(*parts, strict=True)
        return cls(np.concatenate(probabilities), np.concatenate(distances), None if maps[0] is None else np.concatenate(maps))


class FieldBatch:
    """The fields of several frames as one batch, and each frame's part of the answers."""

    def __init__(self, frames: Sequence[Frame], tiles: Sequence[tuple[NDArray[np.float32], tuple[int, int]]]) -> None:
        self._frames = frames
        self._grids = [grid for _, grid in tiles]
        self.fields: NDArray[np.float32] = np.concatenate([fields for fields, _ in tiles])

    def predictions(
        self, answers: Answers, manifest: Manifest, inference_s: float, stale: frozenset[int] = frozenset()
    ) -> list[Prediction]:
        """Split the answers by frame; the time is shared by the number of fields.

        Members at the places `stale` are left out of every frame, and a member with a value that is not finite, or with rows that are no
        probabilities, of that frame; the prediction names both. A frame that no member answers raises FrameRejectedError, `thing` its
        content hash; one that stale members alone answer raises PredictorUnavailableError, for it is not the frame that is wrong.
        """
        check_shapes(answers, len(self.fields), manifest)
        fresh = np.array([place not in stale for place in range(manifest.members)])
        predictions, start = [], 0
        for frame, (rows, columns) in zip(self._frames, self._grids, strict=True):
            part = slice(start, start + rows * columns)
            start = part.stop
            p, d = answers.probabilities[part], answers.distances[part]
            answered = believable_members(p, d)
            believed = answered & fresh
            if not believed.any() and answered.any():
                raise PredictorUnavailableError(
                    f"model {manifest.name}",
                    f"answers a frame by stale members only: {', '.join(_names(manifest, answered))}",
                    "load the model again so that every member gives its known answer; the frame waits meanwhile",
                )
            if not believed.any():
                raise FrameRejectedError(
                    frame.content_hash,
                    "rejected_by_model",
                    f"no member of {manifest.name} gives finite probabilities for it",
                    "look at the frame; if it is sound, check the model with `edge-agent doctor`",
                )
            predictions.append(
                Prediction(
                    probabilities=p if believed.all() else p[:, believed],
                    distances=d if believed.all() else d[:, believed],
                    grid=(rows, columns),
                    lots=manifest.lots,
                    model=manifest.identity,
                    members_expected=manifest.members,
                    inference_s=inference_s * rows * columns / len(self.fields),
                    distance_kind=manifest.distance_kind,
                    members_missing=_names(manifest, fresh & ~answered),
                    members_stale=_names(manifest, ~fresh),
                    local_maps=None if answers.local_maps is None else answers.local_maps[part],
                )
            )
        return predictions


def wanted_outputs(manifest: Manifest, *, with_maps: bool) -> tuple[Tensor, ...]:
    """The outputs to ask for, in the order of `Answers`: maps only when they are wanted and the model has them."""
    outputs = manifest.outputs
    return outputs.tensors if with_maps else (outputs.probabilities, outputs.distances)


def check_shapes(answers: Answers, fields: int, manifest: Manifest) -> None:
    """Raise ModelError unless the outputs have the manifest's shapes for `fields` fields."""
    found = [answer.shape for answer in answers if answer is not None]
    wanted = [(fields, *tensor.shape[1:]) for tensor in wanted_outputs(manifest, with_maps=answers.local_maps is not None)]
    if found != wanted:
        raise ModelError(
            f"model {manifest.name}",
            f"answers {_listed(found)}, its manifest expects {_listed(wanted)}",
            "export and lay out the model again so that graph and manifest belong together",
        )


def believable_members(probabilities: NDArray[np.float32], distances: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which members answered every field with finite probabilities that sum to 1 and finite distances; shape (members,)."""
    with np.errstate(invalid="ignore"):
        sums = np.abs(probabilities.sum(axis=2) - 1) <= ROW_SUM_TOLERANCE
    sound = np.isfinite(probabilities).all(axis=(0, 2)) & np.isfinite(distances).all(axis=0)
    answered: NDArray[np.bool_] = sound & sums.all(axis=0)
    return answered


def _names(manifest: Manifest, chosen: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(manifest.member_name(int(place)) for place in np.flatnonzero(chosen))


def _listed(shapes: Sequence[tuple[int, ...]]) -> str:
    return " and ".join(map(str, shapes))
