"""What an instrument will show, sample by sample, and what is done to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from edge_agent.core.errors import ConfigurationError
from edge_agent.simulate.column import Filament
from edge_agent.simulate.unrelated import UnrelatedPictures

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    import numpy as np

    from edge_agent.simulate.source import Source, Subject

FAINTEST = 1 / 255
"""Share of a fresh filament's current at which white is the darkest grey but one: with less, a frame shows nothing."""

Shift = Literal["filament", "unseen", "unrelated"]


@dataclass(frozen=True, slots=True)
class PlannedSample:
    """One sample.

    Attributes:
        number: from 0, in the order of imaging.
        lot: what it shows; "unrelated" for pictures that are no micrographs.
        subject: what is on the stage.
        shift: what is wrong with it, or None.
        filament: the filament's strength, 0 for a good one.
        current: beam current as a share of a fresh filament's; the filament ages.
        label: the lot it is declared to be; "" when the instrument does not say.
    """

    number: int
    lot: str
    subject: Subject
    shift: Shift | None
    filament: float
    current: float = 1.0
    label: str = ""

    @property
    def name(self) -> str:
        """The sample's folder: its number and, where it has one, its label."""
        return f"S{self.number:03d}-{self.label}" if self.label else f"S{self.number:03d}"


def plan_samples(
    source: Source,
    samples: int,
    rng: np.random.Generator,
    *,
    lots: int | None = None,
    filament: Mapping[int, float] | None = None,
    unseen: Collection[int] = (),
    unrelated: Collection[int] = (),
    ageing: float = 0.0,
) -> tuple[PlannedSample, ...]:
    """Draw samples: the known lots in turn, each lot's samples before any is shown again.

    Args:
        source: where samples come from.
        samples: how many.
        rng: draws lots and samples.
        lots: how many of the known lots; all by default.
        filament: sample number -> strength, which stays until the next entry; 0 is a good filament again.
        unseen: samples that show an unseen lot.
        unrelated: samples that show no micrographs at all.
        ageing: share of its beam current that a filament loses from one sample to the next, until the next filament entry.

    Raises:
        ConfigurationError: a sample number, strength or ageing is impossible, a filament ages until nothing is seen, or no unseen lot is
            there to show.
    """
    strengths = dict(filament or {})
    _check(samples, strengths, unseen, unrelated, can_show_unseen=bool(source.unseen))
    if lots is not None and not 1 <= lots <= len(source.known):
        raise ConfigurationError(f"--lots {lots}", f"the source knows {len(source.known)} lots", f"choose 1 to {len(source.known)}")
    stage = _Stage(source, list(source.known)[:lots], rng)
    planned = []
    for number, (strength, current) in enumerate(_beam(samples, strengths, ageing)):
        lot: str
        subject: Subject
        shift: Shift | None
        if number in unrelated:
            lot, subject, shift = "unrelated", UnrelatedPictures(source.frame_px, source.recorded), "unrelated"
        elif number in unseen:
            lot, subject = stage.unseen()
            shift = "unseen"
        else:
            lot, subject = stage.known()
            shift = "filament" if strength > 0 else None
        planned.append(PlannedSample(number, lot, subject, shift, strength, current))
    return tuple(planned)


class _Stage:
    """Draws what is put on the stage; each lot's subjects come from a deck of its own."""

    def __init__(self, source: Source, known: list[str], rng: np.random.Generator) -> None:
        self._source = source
        self._known = known
        self._rng = rng
        self._order: list[str] = []
        self._decks: dict[str, Iterator[Subject]] = {}

    def known(self) -> tuple[str, Subject]:
        """A known lot; each is shown before any is shown again."""
        if not self._order:
            self._order = [self._known[k] for k in self._rng.permutation(len(self._known))]
        return self._of(self._order.pop())

    def unseen(self) -> tuple[str, Subject]:
        """Any of the unseen lots."""
        lots = list(self._source.unseen)
        return self._of(lots[int(self._rng.integers(len(lots)))])

    def _of(self, lot: str) -> tuple[str, Subject]:
        if lot not in self._decks:
            self._decks[lot] = self._source.deck(lot, self._rng)
        return lot, next(self._decks[lot])


def _beam(samples: int, strengths: Mapping[int, float], ageing: float) -> Iterator[tuple[float, float]]:
    """Each sample's filament strength and beam current, a share of a fresh filament's; raise ConfigurationError when nothing is seen."""
    if not 0.0 <= ageing < 1.0:
        raise ConfigurationError(f"--ageing {ageing:g}", "is no share of a beam current", "choose from 0 to less than 1, such as 0.01")
    strength, current = 0.0, 1.0
    for number in range(samples):
        if number in strengths:
            strength, current = strengths[number], 1.0
        if current < FAINTEST:
            raise ConfigurationError(
                f"--ageing {ageing:g}",
                f"leaves sample {number} less than {FAINTEST:.1%} of a fresh filament's current, by which nothing is seen",
                f"age it less, show fewer samples, or replace the filament with --filament {number}:0",
            )
        yield strength, current
        current *= 1.0 - ageing


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
