"""A calibration made ready for arithmetic: where a lot's frames, and means of its samples, usually lie."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge_agent.drift.components import COMPONENTS
from edge_agent.drift.likelihood import terms
from edge_agent.drift.normal_score import normal_score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.drift.calibration import LotCalibration, Spread
    from edge_agent.drift.likelihood import Terms

Vector = tuple[float, ...]
FARTHEST = 99.0
"""Standard deviations beyond which a component is simply far away; keeps the state small and finite."""
MOST_COUNTED = 8
"""Neighbouring frames overlap, so more of them than this sharpen a sample's mean no further."""
COUNTED = range(1, MOST_COUNTED + 1)
CONTRAST_FRAMES = 8
"""Frames on either side of the contrast that a calibration measures."""


@dataclass(frozen=True, slots=True)
class KnownChange:
    """A change of the acquisition as a path through standardised components, from nothing to its strongest.

    Attributes:
        change: what is changed, in words.
        strengths: ascending from 0.
        places: the standardised shift at each strength.
    """

    change: str
    strengths: tuple[float, ...]
    places: tuple[Vector, ...]


@dataclass(frozen=True, slots=True)
class LotTable:
    """One lot's normalisation.

    Attributes:
        centre, scale: of a single frame, each component; scale joins the spread within and between samples.
        shared: share of a frame's variance that all frames of its sample have in common.
        within: standard deviation of frames around their sample's mean, in the component's own unit.
        widest: the largest `within` of all lots that stand beside this one.
        predicted: standard deviation of a sample's mean of 1, 2, ... MOST_COUNTED frames around the centre as it was measured, each
            component; the centre's own error is in it.
        likelihoods: of such means, see `edge_agent.drift.likelihood`.
        degrees: of freedom behind `predicted`; None for infinitely many.
        contrast: standard deviation of a contrast of CONTRAST_FRAMES frames with as many.
        limit_fraction: see LotCalibration.
        changes: what known changes of the acquisition look like.
    """

    lot: str
    centre: Vector
    scale: Vector
    shared: Vector
    within: Vector
    widest: Vector
    predicted: tuple[Vector, ...]
    likelihoods: tuple[tuple[Terms, ...], ...]
    degrees: tuple[float | None, ...]
    contrast: Vector
    limit_fraction: float
    changes: tuple[KnownChange, ...]

    @classmethod
    def of(cls, lot: str, calibration: LotCalibration, *, declared: bool) -> LotTable:
        """Prepare one lot, for samples that are declared to be of it or for those that are taken for it."""
        chosen = calibration.spread if declared else calibration.spread_as_predicted or calibration.spread
        spreads: list[Spread] = [chosen[name] for name in COMPONENTS]
        scale = tuple(math.hypot(spread.within, spread.between) for spread in spreads)
        of_means = [[math.hypot(spread.between, spread.within / math.sqrt(frames)) for frames in COUNTED] for spread in spreads]
        paths: dict[str, list[tuple[float, Vector]]] = {}
        for signature in calibration.signatures:
            place = tuple(shift / unit for shift, unit in zip(signature.shift, scale, strict=True))
            paths.setdefault(signature.change, [(0.0, (0.0,) * len(COMPONENTS))]).append((signature.strength, place))
        return cls(
            lot=lot,
            centre=tuple(spread.centre for spread in spreads),
            scale=scale,
            shared=tuple((spread.between / unit) ** 2 for spread, unit in zip(spreads, scale, strict=True)),
            within=tuple(spread.within for spread in spreads),
            widest=tuple(spread.within for spread in spreads),
            predicted=tuple(
                tuple(math.hypot(value, spread.centre_error) for value in row) for spread, row in zip(spreads, of_means, strict=True)
            ),
            likelihoods=tuple(
                tuple(terms(value, row[-1], spread.centre_error) for value in row) for spread, row in zip(spreads, of_means, strict=True)
            ),
            degrees=tuple(spread.degrees for spread in spreads),
            contrast=tuple(spread.contrast for spread in spreads),
            limit_fraction=calibration.limit_fraction,
            changes=tuple(
                KnownChange(change, tuple(strength for strength, _ in sorted(path)), tuple(place for _, place in sorted(path)))
                for change, path in paths.items()
            ),
        )

    @property
    def is_inflated(self) -> bool:
        """Whether spreads come from so few samples that they are wider than they probably are."""
        return None in self.degrees

    def standardise(self, values: Sequence[float]) -> list[float]:
        """Components as standard deviations from this lot's centre, four digits."""
        return [
            round(distance if -FARTHEST <= (distance := (value - centre) / scale) <= FARTHEST else math.copysign(FARTHEST, distance), 4)
            for value, centre, scale in zip(values, self.centre, self.scale, strict=True)
        ]

    def cut_off(self, place: int, value: float, farthest: float) -> float:
        """The component at `place`, no more than `farthest` standard deviations of a frame from the centre."""
        away, reach = value - self.centre[place], farthest * self.scale[place]
        return value if -reach <= away <= reach else self.centre[place] + math.copysign(reach, away)

    def score(self, place: int, mean: float, frames: int) -> float:
        """A sample's mean as a normal deviate: Student's t of the prediction for a new sample, and the normal with its tail."""
        spread = self.predicted[place][min(frames, MOST_COUNTED) - 1]
        return normal_score((mean - self.centre[place]) / spread, self.degrees[place])

    def relative(self, place: int, frames: int) -> float:
        """Standard deviation of a whole sample's mean over that of so many frames' mean."""
        return self.predicted[place][-1] / self.predicted[place][min(frames, MOST_COUNTED) - 1]

    def likelihood(self, place: int, frames: int) -> Terms:
        """For the mean of so many frames."""
        return self.likelihoods[place][min(frames, MOST_COUNTED) - 1]

    def contrast_score(self, place: int, difference: float, before: int, own: float) -> float:
        """The mean of CONTRAST_FRAMES frames less that of `before` earlier ones, in standard deviations.

        `own` is the earlier frames' standard deviation, which counts where it is larger than the lot's.
        """
        frame = max(own, self.contrast[place] * math.sqrt(CONTRAST_FRAMES / 2))
        return difference / (frame * math.sqrt(1 / CONTRAST_FRAMES + 1 / before))


def tables_of(lots: Mapping[str, LotCalibration], *, declared: bool) -> dict[str, LotTable]:
    """Every lot's table, by name, for samples that are declared or for those that are taken for a lot."""
    tables = {name: LotTable.of(name, lot, declared=declared) for name, lot in lots.items()}
    widest = tuple(map(max, zip(*(table.within for table in tables.values()), strict=True)))
    return {name: replace(table, widest=widest) for name, table in tables.items()}
