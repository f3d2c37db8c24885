"""Random training crops: windows of varying place and scale, area-averaged to the network's input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_agent.core.errors import EdgeAgentError
from model_repo.data.micrographs import FULL_SCALE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from model_repo.data.micrographs import Micrograph

SHOT_NOISE_AT_INPUT = 0.025  # 100 counts at intensity 1 averaged over 4 x 4 pixels: 0.1 / 4


class CropSampler:
    """Draws batches, the lots with equal weight and within a lot the groups with equal weight.

    A source of many images so counts no more than one of a single image. Windows are averaged through an integral image, which gives
    the exact area average for any window edge.

    Args:
        micrographs: the training images.
        lots: the classes; a lot without an image is an error.
        field_px: side of a window in source pixels at scale 1.
        input_px: side of the network's input.
        scale: a window's side is field_px times a factor between 1 / (1 + scale) and 1 + scale.
        filament: largest strength of the filament change drawn as augmentation; 0 for none.
    """

    def __init__(
        self, micrographs: Sequence[Micrograph], lots: Sequence[str], *, field_px: int, input_px: int, scale: float, filament: float
    ) -> None:
        self._groups: list[list[list[NDArray[np.float64]]]] = []
        for lot in lots:
            groups: dict[str, list[NDArray[np.float64]]] = {}
            for micrograph in micrographs:
                if micrograph.entry.lot == lot:
                    groups.setdefault(micrograph.entry.group, []).append(_integral(micrograph.pixels))
            if not groups:
                raise EdgeAgentError(f"lot {lot}", "has no training image", "add sources of this lot to the split or drop the lot")
            self._groups.append(list(groups.values()))
        self._field_px = field_px
        self._input_px = input_px
        self._scale = scale
        self._filament = filament

    def draw(self, count: int, rng: np.random.Generator, *, flip: bool = True) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Draw `count` crops: fields [count, 1, input_px, input_px] in [0, 1] and lot indices [count]."""
        labels = rng.integers(0, len(self._groups), count)
        fields = np.empty((count, 1, self._input_px, self._input_px), np.float32)
        for place, label in enumerate(labels):
            groups = self._groups[label]
            images = groups[rng.integers(len(groups))]
            fields[place, 0] = self._crop(images[rng.integers(len(images))], rng)
            if flip and rng.random() < 0.5:
                fields[place] = fields[place, :, :, ::-1]
        return fields, labels.astype(np.int64)

    def _crop(self, integral: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        height, width = integral.shape[0] - 1, integral.shape[1] - 1
        factor = (1 + self._scale) ** rng.uniform(-1, 1)
        side = min(self._field_px * factor, height, width)
        top, left = rng.uniform(0, height - side), rng.uniform(0, width - side)
        sums = _interpolate(integral, np.linspace(top, top + side, self._input_px + 1), np.linspace(left, left + side, self._input_px + 1))
        crop = np.diff(np.diff(sums, axis=0), axis=1) / ((side / self._input_px) ** 2 * FULL_SCALE)
        if self._filament > 0:
            strength = rng.uniform(0, self._filament)
            crop = crop * (1 - 0.2 * strength) + 0.05 * strength
            crop = crop + rng.normal(size=crop.shape) * SHOT_NOISE_AT_INPUT * strength * np.sqrt(np.clip(crop, 0, None))
        return np.asarray(np.clip(crop, 0, 1))


def _integral(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.pad(pixels.astype(np.float64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))


def _interpolate(table: NDArray[np.float64], rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bilinear values of `table` at every (row, column): exact for an integral image."""
    r, c = np.minimum(rows.astype(int), table.shape[0] - 2), np.minimum(columns.astype(int), table.shape[1] - 2)
    v, u = (rows - r)[:, None], (columns - c)[None, :]
    upper = table[np.ix_(r, c)] * (1 - u) + table[np.ix_(r, c + 1)] * u
    lower = table[np.ix_(r + 1, c)] * (1 - u) + table[np.ix_(r + 1, c + 1)] * u
    return np.asarray(upper * (1 - v) + lower * v)
