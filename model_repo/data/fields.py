"""Source images as the agent would see them: whole frames, tiled into fields by the agent's own function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.inference import tile
from model_repo.data.micrographs import FULL_SCALE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.inference import Preprocessing
    from model_repo.data.micrographs import Micrograph


def labelled_fields(
    micrographs: Sequence[Micrograph], lots: Sequence[str], preprocessing: Preprocessing
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Every field of every image, [fields, 1, input_px, input_px] in [0, 1], with its lot's index [fields]."""
    tiled = [tile(micrograph.pixels, FULL_SCALE, preprocessing)[0] for micrograph in micrographs]
    labels = [lots.index(micrograph.entry.lot) for micrograph in micrographs]
    return np.concatenate(tiled), np.repeat(labels, [len(fields) for fields in tiled]).astype(np.int64)
