"""The virtual microscope as a source of planned samples."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from edge_agent.simulate.source import Recorded
from edge_agent.simulate.virtual import FRAME_PX, KNOWN_LOTS, PIXEL_NM, UNSEEN_LOTS, Column, VirtualMicroscope

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from edge_agent.simulate.source_real import View

FIRST_SAMPLE: Final = 1_000_000
"""Training data count samples from 0; what is rehearsed with is counted from here, so that no network has seen it."""
VOLTAGE_V: Final = 5000.0


@dataclass(frozen=True, slots=True)
class VirtualSample:
    """Sample number `sample` of `lot`."""

    microscope: VirtualMicroscope
    lot: str
    sample: int

    @property
    def recorded(self) -> Recorded:
        """The operator's settings for this sample."""
        return _recorded(self.microscope.column(self.lot, self.sample))

    def show(self, frames: int, filament: float, current: float, rng: np.random.Generator) -> Iterator[View]:  # noqa: ARG002 - the microscope's own streams draw
        """Visit `frames` fields of view, each 256 x 256 pixels."""
        column = self.microscope.column(self.lot, self.sample)
        aged = replace(column, current_pa=current * column.current_pa)
        return self.microscope.frames(self.lot, self.sample, frames, filament=filament, column=aged)


@dataclass(frozen=True, slots=True)
class VirtualLots:
    """The virtual microscope's lots, seen by `microscope`."""

    microscope: VirtualMicroscope
    known: tuple[str, ...] = KNOWN_LOTS
    unseen: tuple[str, ...] = UNSEEN_LOTS
    frame_px: int = FRAME_PX

    @property
    def recorded(self) -> Recorded:
        """The usual settings."""
        return _recorded(Column())

    def deck(self, lot: str, rng: np.random.Generator) -> Iterator[VirtualSample]:  # noqa: ARG002 - samples are drawn by their number
        """Samples of a lot without end; none is ever repeated."""
        return (VirtualSample(self.microscope, lot, number) for number in itertools.count(FIRST_SAMPLE))


def _recorded(column: Column) -> Recorded:
    return Recorded(PIXEL_NM * 1e-9, column.dwell_us * 1e-6, VOLTAGE_V, column.current_pa * 1e-12)
