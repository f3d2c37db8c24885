"""The lots of the virtual microscope: fixed points in the space that the lots of Zhang, Kailkhura & Han 2021, figure 2, vary in."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from edge_agent.core.errors import ConfigurationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOTS_VERSION: Final = 1
"""Changes with any parameter below; data sets of different versions do not compare."""

SAMPLE_SD: Final = (0.112, 0.068, 0.224, 0.100, 0.300)
"""Between-sample standard deviation of the coordinates: ln size, polydispersity, ln porosity, facetness, ln texture.

With these an observer who knew a sample's parameters exactly would name 4.1 % of the samples wrongly (1.3 to 8 % by lot), nine times in ten
as one of the three nearest lots or so (`ideal_confusion`); the ensemble of Zhang et al. misses 4.7 %.
"""


@dataclass(frozen=True, slots=True)
class Lot:
    """A distribution over specimens, or, drawn from it, one sample's own parameters.

    Attributes:
        name: lot-00 to lot-29, or unseen-N.
        size_nm: mean diameter of the particles.
        polydispersity: sigma of their log-normal diameters.
        porosity: expected share of the area that no particle covers (Boolean model).
        facetness: 0 for smooth domes, 1 for flat facets with straight edges.
        texture: rms height of the surface roughness, nm.
        grain_nm: lateral scale of that roughness.
        elongation: length over width of a particle.
        flatness: 0 for a body as high as wide, towards 1 for plates.
        coarse_share: share of the particles that are `coarse_ratio` times larger, a second mode.
        coarse_ratio: see above.
        cracks: cracks across a spot of 25.6 um.
    """

    name: str
    size_nm: float
    polydispersity: float
    porosity: float
    facetness: float
    texture: float
    grain_nm: float = 90.0
    elongation: float = 1.25
    flatness: float = 0.0
    coarse_share: float = 0.0
    coarse_ratio: float = 1.0
    cracks: int = 0

    @property
    def coordinates(self) -> NDArray[np.float64]:
        """Shape (5,): ln size, polydispersity, ln porosity, facetness, ln texture; samples are normal in these."""
        return np.array(
            [math.log(self.size_nm), self.polydispersity, math.log(self.porosity), self.facetness, math.log(self.texture)], np.float64
        )

    def draw(self, rng: np.random.Generator) -> Lot:
        """One sample's own parameters, normal around the lot's with SAMPLE_SD and bounded to what can be rendered."""
        size, polydispersity, porosity, facetness, texture = self.coordinates + np.array(SAMPLE_SD) * rng.standard_normal(5)
        return replace(
            self,
            size_nm=math.exp(size),
            polydispersity=min(max(polydispersity, 0.02), 0.7),
            porosity=min(math.exp(porosity), 0.6),
            facetness=min(max(facetness, 0.0), 1.0),
            texture=math.exp(texture),
        )


SIZES_NM: Final = (520.0, 690.0, 915.0, 1210.0, 1600.0)
POROSITIES: Final = (0.08, 0.16, 0.31)
FACETNESS: Final = (0.22, 0.78)
POLYDISPERSITIES: Final = (0.16, 0.30, 0.44)
TEXTURES: Final = (6.0, 13.0, 28.0)


def _known() -> tuple[Lot, ...]:
    """Five sizes by three porosities by two facetnesses; polydispersity and texture follow in Latin order."""
    lots = []
    for number in range(30):
        size, rest = divmod(number, 6)
        porosity, facets = divmod(rest, 2)
        lots.append(
            Lot(
                f"lot-{number:02d}",
                SIZES_NM[size],
                POLYDISPERSITIES[(size + porosity) % 3],
                POROSITIES[porosity],
                FACETNESS[facets],
                TEXTURES[(size + 2 * porosity + facets) % 3],
            )
        )
    return tuple(lots)


_UNSEEN: Final = (
    Lot("unseen-0", 900.0, 0.30, 0.20, 0.10, 8.0, elongation=6.0),  # fibres
    Lot("unseen-1", 1900.0, 0.25, 0.12, 1.00, 4.0, flatness=0.8),  # plates
    Lot("unseen-2", 520.0, 0.12, 0.12, 0.25, 8.0, coarse_share=0.06, coarse_ratio=4.0),  # bimodal
    Lot("unseen-3", 800.0, 0.20, 0.06, 0.50, 14.0, cracks=24),  # cracked compact
    Lot("unseen-4", 800.0, 0.16, 0.22, 0.50, 28.0),  # every parameter within the known range, together in a gap
    Lot("unseen-5", 300.0, 0.25, 0.45, 0.30, 10.0),  # finer and more porous than any
    Lot("unseen-6", 1050.0, 0.44, 0.11, 0.50, 6.0),  # another gap
    Lot("unseen-7", 2600.0, 0.45, 0.22, 0.05, 45.0, grain_nm=220.0),  # coarse spheres with a coarse skin
)
_KNOWN: Final = _known()
_BY_NAME: Final = {lot.name: number for number, lot in enumerate((*_KNOWN, *_UNSEEN))}

KNOWN_LOTS: Final[tuple[str, ...]] = tuple(lot.name for lot in _KNOWN)
"""Names of the 30 lots a model may be trained on."""
UNSEEN_LOTS: Final[tuple[str, ...]] = tuple(lot.name for lot in _UNSEEN)
"""Names of the lots held out: six beyond the known parameters or shapes, two in a gap between them."""


def lot_number(name: str) -> int:
    """The lot's place, which seeds its samples: 0 to 29 known, from 30 on unseen; raises ConfigurationError."""
    try:
        return _BY_NAME[name]
    except KeyError:
        known, unseen = (f"{names[0]} to {names[-1]}" for names in (KNOWN_LOTS, UNSEEN_LOTS))
        raise ConfigurationError(f"lot {name!r}", "the virtual microscope has no such lot", f"choose {known} or {unseen}") from None


def find_lot(name: str) -> Lot:
    """The lot of that name; raises ConfigurationError."""
    return (*_KNOWN, *_UNSEEN)[lot_number(name)]


def ideal_confusion(samples: int, seed: int = 0) -> NDArray[np.float64]:
    """Confusion of an observer who reads a sample's five parameters without error, by Monte Carlo; shape (30, 30), rows sum to 1.

    The densities are the known normals of the generative model, so this is the Bayes error of the lots as such: what no
    classifier can beat over samples. A network, which sees one noisy field, does worse.
    """
    rng = np.random.default_rng(seed)
    centres = np.stack([lot.coordinates for lot in _KNOWN]) / np.array(SAMPLE_SD)
    confusion = np.empty((len(centres), len(centres)), np.float64)
    for row, centre in zip(confusion, centres, strict=True):
        drawn = centre + rng.standard_normal((samples, centre.size))
        nearest = ((drawn[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2).argmin(axis=1)
        row[:] = np.bincount(nearest, minlength=len(centres)) / samples
    return confusion
