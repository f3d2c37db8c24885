"""Where a recipe's fields and frames come from: one Protocol for real micrographs and the virtual microscope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

Origin: TypeAlias = Literal["real", "simulated", "generated"]
Fields: TypeAlias = "tuple[NDArray[np.float32], NDArray[np.int64]]"
"""Fields [n, 1, input_px, input_px] in [0, 1] and their lots' indices [n]."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One frame of an evaluation: its pixels, true lot ("" when it has none) and the independent source it comes from."""

    pixels: NDArray[np.uint8]
    lot: str
    group: str
    name: str


@dataclass(frozen=True, slots=True)
class Kind:
    """Frames that ask one question; `origin` says whether they are real, simulated, or generated pictures."""

    name: str
    origin: Origin
    probes: Sequence[Probe]


class Source(Protocol):
    """A data set with independent samples on three sides.

    Attributes:
        lots: the classes, in the order of the network's outputs.
        name: what the manifest and the report call it.
        origin: whether its frames are real or simulated.
    """

    lots: tuple[str, ...]
    name: str
    origin: Origin

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what the training side is made of; a checkpoint goes on only with the same."""
        ...

    def draw(self, count: int, rng: np.random.Generator) -> Fields:
        """Training fields, augmented."""
        ...

    def fitting(self, count: int, rng: np.random.Generator) -> Fields:
        """Training fields as they are, for what is fitted on a trained network's features."""
        ...

    def held_out(self) -> Fields:
        """The calibration side's fields."""
        ...

    def frames(self, side: Literal["train", "calibration", "test"]) -> Sequence[Probe]:
        """Whole frames of one side, as the agent would see them."""
        ...

    def kinds(self, test: Sequence[Probe], seed: int) -> Iterator[Kind]:
        """Every kind of frame that is not of a known lot, or not as it should be."""
        ...

    def visited(self, side: Literal["train", "calibration"], frames: int, every: int = 1) -> Iterator[Probe]:
        """`frames` fields of view on each `every`-th source of a side, as a stage visits them; `name` is the visit's."""
        ...

    def counts(self) -> dict[str, dict[str, dict[str, int]]]:
        """Images and independent groups by lot and side."""
        ...

    def describe(self) -> dict[str, Any]:
        """What the manifest keeps of the data set."""
        ...
