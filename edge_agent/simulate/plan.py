"""What an instrument will show, sample by sample, and what is done to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from edge_agent.core.errors import ConfigurationError
from edge_agent.simulate.column import Filament

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    import numpy as np

    from edge_agent.simulate.source_real import Micrographs

Shift = Literal["filament", "unseen", "unrelated"]


@dataclass(frozen=True, slots=True)
class PlannedSample:
    """One sample.

    Attributes:
        number: from 0, in the order of imaging.
        lot: what it shows; "unrelated" for pictures that are no micrographs.
        image: the source image; None for unrelated pictures.
        shift: what is wrong with it, or None.
        filament: the filament's strength, 0 for a good one.
        label: the lot it is declared to be; "" when the instrument does not say.
    """

    number: int
    lot: str
    image: Path | None
    shift: Shift | None
    filament: float
    label: str = ""

    @property
    def name(self) -> str:
        """The sample's folder: its number and, where it has one, its label."""
        return f"S{self.number:03d}-{self.label}" if self.label else f"S{self.number:03d}"


def plan_samples(
    micrographs: Micrographs,
    samples: int,
    rng: np.random.Generator,
    *,
    lots: int | None = None,
    filament: Mapping[int, float] | None = None,
    unseen: Collection[int] = (),
    unrelated: Collection[int] = (),
) -> tuple[PlannedSample, ...]:
    """Draw samples: the known lots in turn, each lot's images before any is shown again.

    Args:
        micrographs: where images come from.
        samples: how many.
        rng: draws lots and images.
        lots: how many of the known lots; all by default.
        filament: sample number -> strength, which stays until the next entry; 0 is a good filament again.
        unseen: samples that show an unseen lot.
        unrelated: samples that show no micrographs at all.

    Raises:
        ConfigurationError: a sample number or strength is impossible, or no unseen lot is there to show.
    """
    known = list(micrographs.known)
    if lots is not None and not 1 <= lots <= len(known):
        raise ConfigurationError(f"--lots {lots}", f"the source knows {len(known)} lots", f"choose 1 to {len(known)}")
    strengths = dict(filament or {})
    _check(samples, strengths, unseen, unrelated, can_show_unseen=bool(micrographs.unseen))
    known, unknown = known[:lots], list(micrographs.unseen)
    decks: dict[str, list[Path]] = {}
    order: list[str] = []
    planned = []
    strength = 0.0
    for number in range(samples):
        strength = strengths.get(number, strength)
        if number in unrelated:
            planned.append(PlannedSample(number, "unrelated", None, "unrelated", strength))
            continue
        shift: Shift | None
        if number in unseen:
            lot, images, shift = unknown[int(rng.integers(len(unknown)))], micrographs.unseen, "unseen"
        else:
            if not order:
                order = [known[k] for k in rng.permutation(len(known))]
            lot, images, shift = order.pop(), micrographs.known, "filament" if strength > 0 else None
        if not decks.get(lot):
            decks[lot] = [images[lot][k] for k in rng.permutation(len(images[lot]))]
        planned.append(PlannedSample(number, lot, decks[lot].pop(), shift, strength))
    return tuple(planned)


def _check(
    samples: int, strengths: Mapping[int, float], unseen: Collection[int], unrelated: Collection[int], *, can_show_unseen: bool
) -> None:
    for flag, numbers in (("--filament", strengths), ("--unseen", unseen), ("--unrelated", unrelated)):
        for number in numbers:
            if not 0 <= number < samples:
                raise ConfigurationError(
                    f"{flag} {number}", f"there are samples 0 to {samples - 1}", "choose one of these, or more --samples"
                )
    for number, strength in strengths.items():
        try:
            Filament(strength)
        except ValueError as error:
            raise ConfigurationError(f"--filament {number}:{strength:g}", str(error), "choose a strength in that range") from None
    if unseen and not can_show_unseen:
        raise ConfigurationError("--unseen", "the source has no unseen lot", "put images into unseen/LOT beside known/LOT")
    if both := set(unseen) & set(unrelated):
        raise ConfigurationError(f"sample {min(both)}", "cannot be unseen and unrelated at once", "drop one of the two flags")
