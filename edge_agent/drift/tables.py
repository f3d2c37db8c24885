"""A calibration made ready for arithmetic: each lot's components as standard deviations from its usual place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.drift.components import COMPONENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.drift.calibration import LotCalibration

Vector = tuple[float, ...]
FARTHEST = 99.0
"""Standard deviations beyond which a component is simply far away; keeps the state small and finite."""


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
        contrast: standard deviation of a within-sample contrast, in units of `scale`.
        limit_fraction: see LotCalibration.
        changes: what known changes of the acquisition look like.
    """

    lot: str
    centre: Vector
    scale: Vector
    shared: Vector
    within: Vector
    contrast: Vector
    limit_fraction: float
    changes: tuple[KnownChange, ...]

    @classmethod
    def of(cls, lot: str, calibration: LotCalibration) -> LotTable:
        """Prepare one lot."""
        spreads = [calibration.spread[name] for name in COMPONENTS]
        scale = tuple(math.hypot(spread.within, spread.between) for spread in spreads)
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
            contrast=tuple(spread.contrast / unit for spread, unit in zip(spreads, scale, strict=True)),
            limit_fraction=calibration.limit_fraction,
            changes=tuple(
                KnownChange(change, tuple(strength for strength, _ in sorted(path)), tuple(place for _, place in sorted(path)))
                for change, path in paths.items()
            ),
        )

    def standardise(self, values: Sequence[float]) -> list[float]:
        """Components as standard deviations from this lot's centre, four digits."""
        return [
            round(min(FARTHEST, max(-FARTHEST, (value - centre) / scale)), 4)
            for value, centre, scale in zip(values, self.centre, self.scale, strict=True)
        ]

    def restore(self, vector: Sequence[float]) -> list[float]:
        """The components a standardised vector stands for."""
        return [centre + value * scale for value, centre, scale in zip(vector, self.centre, self.scale, strict=True)]
