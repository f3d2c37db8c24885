"""A sample as a pile of particles: each spot of it a dead-leaves picture with depth, shadow and pores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from edge_agent.simulate.virtual.stamps import TEXTURE_PX, Bank, render_bank, rough_tile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.simulate.virtual.lots import Lot

SPOT_PX: Final = 512
"""Edge of a spot, pixels; its opposite edges meet, so that no particle is cut off and every spot has the same statistics."""
PITCH_PX: Final = 4
"""Shadows are computed on a grid this coarse."""
DEEPEST: Final = 0.50
"""Signal from the lowest particles as a share of that from the topmost: fewer electrons find their way out of the pile."""
COMPOSITION_SD: Final = 0.05
PORE_EMISSION: Final = 0.11
SHADOW: Final = (0.45, 1.15)
SHADOW_LEVEL: Final = 0.98
SHADOW_SLOPE: Final = 0.5
"""Share of the electrons that escape: its bounds, its value at the surroundings' mean height, its change a mean radius above it."""
CRACK_EMISSION: Final = 0.05


@dataclass(frozen=True, slots=True)
class Specimen:
    """One sample: its own parameters and its rendered particles."""

    sample: Lot
    bank: Bank

    @classmethod
    def draw(cls, lot: Lot, rng: np.random.Generator) -> Self:
        """Draw a sample of `lot`."""
        sample = lot.draw(rng)
        return cls(sample, render_bank(sample, SPOT_PX, rng))

    def spot(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Emission of one spot, shape (512, 512), share of full scale; in pores a few values lie below 0, which `Column` takes for 0.

        Particles fall at random until a share `porosity` is left uncovered in expectation (Boolean model: exp(-coverage),
        Matheron 1975); the later cover the earlier (dead leaves).
        """
        bank, area = self.bank, SPOT_PX * SPOT_PX
        coverage = -np.log(self.sample.porosity)
        particles = max(1, int(rng.poisson(coverage * area / float(bank.odds @ bank.count))))
        stamp = np.searchsorted(np.cumsum(bank.odds)[:-1], rng.random(particles), side="right")
        middle = rng.integers(area, size=particles, dtype=np.int32)
        composition = np.float32(1) + np.float32(COMPOSITION_SD) * rng.standard_normal(particles, dtype=np.float32)
        owner, pixel, bare = _pile(bank, stamp, middle)
        depth = np.linspace(0, 1, particles + 1, dtype=np.float32)
        brightness = composition * (np.float32(DEEPEST) + np.float32(1 - DEEPEST) * depth[1:])
        radius = float(np.sqrt(float(bank.odds @ bank.count) / np.pi))
        emission = brightness[owner] * bank.emission[pixel]
        height = depth[1:][owner] * np.float32(1.5 * radius) + bank.height[pixel]
        floor = np.float32(PORE_EMISSION) * (1 + np.float32(0.4) * rough_tile(max(1.0, 0.4 * radius), rng))
        tiles = SPOT_PX // TEXTURE_PX
        emission = np.where(bare, np.tile(floor, (tiles, tiles)).ravel(), emission).reshape(SPOT_PX, SPOT_PX)
        height = np.where(bare, np.float32(-1.5 * radius), height).reshape(SPOT_PX, SPOT_PX)
        emission *= _shadow(height, radius)
        if self.sample.cracks:
            _crack(emission, self.sample.cracks, rng)
        return emission


def _pile(
    bank: Bank, stamp: NDArray[np.int64], middle: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]:
    """Which particle and which pixel of the bank is on top, and where no particle is and the two mean nothing; shape (area,) each.

    The spot is wound like a screw: a row that leaves on the right comes back on the left one row lower.
    """
    area = SPOT_PX * SPOT_PX
    counts = bank.count[stamp]
    ends = np.cumsum(counts)
    owner = np.repeat(np.arange(stamp.size, dtype=np.int32), counts)
    pixel = np.repeat((bank.first[stamp] - (ends - counts)).astype(np.int32), counts)
    pixel += np.arange(pixel.size, dtype=np.int32)
    place = bank.offset[pixel]
    place += np.repeat(middle, counts)
    place &= area - 1
    top = np.full(area, -1, np.int32)
    top[place] = np.arange(place.size, dtype=np.int32)  # of several writers to one place NumPy keeps the last
    return owner[top], pixel[top], top < 0


def _shadow(height: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    """Share of the electrons that escape: less below the surroundings' mean height, more above; shape of `height`."""
    cells = SPOT_PX // PITCH_PX
    coarse = height.reshape(cells, PITCH_PX, cells, PITCH_PX).mean(axis=(1, 3))
    frequency = np.fft.fftfreq(cells)
    keep = np.exp(-2 * (np.pi * max(0.6, 0.8 * radius / PITCH_PX)) ** 2 * frequency**2)
    around = np.fft.irfft2(np.fft.rfft2(coarse) * keep[:, None] * keep[None, : cells // 2 + 1], s=(cells, cells)).astype(np.float32)
    escape = (height - _enlarge(_enlarge(around).T).T) * np.float32(SHADOW_SLOPE / radius) + np.float32(SHADOW_LEVEL)
    return np.asarray(np.clip(escape, np.float32(SHADOW[0]), np.float32(SHADOW[1])), np.float32)


def _enlarge(coarse: NDArray[np.float32]) -> NDArray[np.float32]:
    """Interpolate along the first axis to PITCH_PX as many rows; the edges meet."""
    before, after = np.roll(coarse, 1, axis=0), np.roll(coarse, -1, axis=0)
    fine = np.empty((coarse.shape[0], PITCH_PX, coarse.shape[1]), np.float32)
    for k in range(PITCH_PX):
        place = (k + 0.5) / PITCH_PX - 0.5
        other = after if place > 0 else before
        fine[:, k] = coarse + np.float32(abs(place)) * (other - coarse)
    return fine.reshape(-1, coarse.shape[1])


def _crack(emission: NDArray[np.float32], cracks: int, rng: np.random.Generator) -> None:
    """Darken random walks across the spot, with bright lips, in place."""
    steps = np.arange(SPOT_PX)
    for _ in range(cracks):
        heading, start = rng.uniform(0, 2 * np.pi), rng.uniform(0, SPOT_PX, 2)
        bend = heading + np.cumsum(rng.normal(0, 0.03, SPOT_PX) + 0.25 * rng.choice((-1, 1), SPOT_PX) * (rng.random(SPOT_PX) < 0.06))
        y, x = start[0] + np.cumsum(np.sin(bend)), start[1] + np.cumsum(np.cos(bend))
        length, width = int(rng.integers(120, SPOT_PX)), rng.uniform(1.5, 4.5)
        half = np.abs(width * (1 - steps / length) + rng.normal(0, 0.2, SPOT_PX))[:length]
        for across in np.arange(-7, 8):
            rows = np.rint(y[:length] - across * np.cos(bend[:length])).astype(int) % SPOT_PX
            columns = np.rint(x[:length] + across * np.sin(bend[:length])).astype(int) % SPOT_PX
            dark, lip = np.abs(across) <= half, np.abs(np.abs(across) - half - 1) < 0.7
            emission[rows[dark], columns[dark]] = CRACK_EMISSION
            emission[rows[lip], columns[lip]] = np.minimum(1.25 * emission[rows[lip], columns[lip]], 0.9)
