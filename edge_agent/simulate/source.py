"""What a planned sample can come from: a source has lots, a lot has samples, a sample can be shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import numpy as np

    from edge_agent.simulate.source_real import View


@dataclass(frozen=True, slots=True)
class Recorded:
    """What an instrument writes into its files about how it images; it does not know that its filament has changed.

    Attributes:
        pixel_m: edge of a pixel.
        dwell_s: dwell time a pixel.
        voltage_v: acceleration voltage.
        current_a: beam current as set; None where the instrument does not say.
    """

    pixel_m: float
    dwell_s: float
    voltage_v: float
    current_a: float | None = None


class Subject(Protocol):
    """One sample on the stage."""

    @property
    def recorded(self) -> Recorded:
        """How it is imaged, for the tags."""

    def show(self, frames: int, filament: float, current: float, rng: np.random.Generator) -> Iterator[View]:
        """Visit `frames` fields of view.

        Args:
            frames: how many.
            filament: strength of a filament change, see `Filament`.
            current: beam current as a share of a fresh filament's.
            rng: draws what the subject does not hold itself.
        """


class Source(Protocol):
    """Lots to choose samples from."""

    @property
    def known(self) -> Collection[str]:
        """Lots a model may know, in order."""

    @property
    def unseen(self) -> Collection[str]:
        """Lots held out."""

    @property
    def frame_px(self) -> int:
        """Edge of its frames, pixels."""

    @property
    def recorded(self) -> Recorded:
        """How its frames are imaged, for the tags."""

    def deck(self, lot: str, rng: np.random.Generator) -> Iterator[Subject]:
        """Samples of a lot without end, each before any is repeated."""
