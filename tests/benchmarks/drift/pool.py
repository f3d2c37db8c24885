"""Scored frames of the virtual microscope."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.simulate import MICROSCOPE_VERSION, VirtualMicroscope, unrelated_picture
from tests.benchmarks.drift.scored import ScoredVisits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

SEED = 2021
"""The microscope's: the model's own, so that its lots are the ones the network knows; only the samples are others."""
FIRST_SAMPLE = 1000
"""Samples from here on stand on no side of the recipe: no network saw them, no calibration holds them."""
FRAME_PX = 256


@dataclass(frozen=True, slots=True)
class Visit:
    """The stage's visit to one sample.

    Attributes:
        lot: true lot, "" for pictures that show none.
        sample: its number.
        frames: how many are taken.
        filament: strength of the filament change it was taken with, 1 is the paper's.
        current: beam current over the operator's usual one; below 1 an ageing filament.
    """

    lot: str
    sample: int
    frames: int
    filament: float = 0.0
    current: float = 1.0

    @property
    def label(self) -> str:
        """Lot and number."""
        return f"{self.lot or 'unrelated'}-{self.sample}"


class Pool(ScoredVisits[Visit]):
    """Visits to the virtual microscope's samples, scored by one served model.

    Args:
        model: a served model's folder.
        folder: keeps the scores.
        threads: of the embedded model.
    """

    def __init__(self, model: Path, folder: Path, threads: int = 1) -> None:
        super().__init__(model, folder, f"{MICROSCOPE_VERSION}-{SEED}", threads)
        self._microscope = VirtualMicroscope(SEED)

    def pixels(self, visit: Visit) -> Iterator[NDArray[np.uint8]]:
        """A visit's frames, shape (FRAME_PX, FRAME_PX)."""
        if not visit.lot:
            rng = np.random.default_rng((SEED, visit.sample))
            return (unrelated_picture(rng, FRAME_PX, FRAME_PX) for _ in range(visit.frames))
        usual = self._microscope.column(visit.lot, visit.sample)
        column = replace(usual, current_pa=usual.current_pa * visit.current)
        views = self._microscope.frames(visit.lot, visit.sample, visit.frames, filament=visit.filament, column=column)
        return (view.pixels for view in views)
