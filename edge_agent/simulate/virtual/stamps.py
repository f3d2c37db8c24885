"""Particles as flat arrays of pixels, rendered once a sample and then stamped thousands of times."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.simulate.virtual.lots import Lot

PIXEL_NM: Final = 50.0
SIZE_CLASSES: Final = 16
"""Diameters are the mid-quantiles of the log-normal distribution, equally frequent."""
BANK_PX: Final = 70_000
"""About as many pixels a sample's bank holds; large particles have fewer shapes, since fewer of them fit into a field."""
SHAPES: Final = (2, 8)
LARGEST_RADIUS_PX: Final = 120.0
FACETS: Final = 6
TEXTURE_PX: Final = 128
FLAT_YIELD: Final = 0.40
"""Secondary electrons of a surface across the beam, as a share of full scale at the usual brightness and contrast."""
TILT_EXPONENT: Final = 0.8
LARGEST_TILT_GAIN: Final = 1.9
"""Yield rises as cos(tilt)^-n (Reimer, Scanning Electron Microscopy, 2nd ed., sec. 4.2), up to where the escape depth ends it."""
EDGE_GAIN: Final = 0.10
EDGE_NM: Final = 70.0
"""Electrons also leave through the side of an edge: signal added at a rim, share of full scale, and how far it reaches inwards."""
SIDE_DETECTOR: Final = (0.17, -0.12)
"""How strongly slopes towards +x and +y are seen brighter by the detector at the upper right."""


@dataclass(frozen=True, slots=True)
class Bank:
    """Rendered particles, one after the other.

    Attributes:
        first: shape (stamps,): each one's first pixel.
        count: shape (stamps,): its pixels.
        offset: shape (pixels,), int32: row * side + column from the particle's middle, on a field `side` wide.
        emission: shape (pixels,), float32: secondary electrons, share of full scale.
        height: shape (pixels,), float32: above the particle's foot, pixels, at most half the mean diameter: a large particle
            lies as deep in the pile as a small one.
        odds: shape (stamps,): how often each is drawn, sums to 1.
    """

    first: NDArray[np.int64]
    count: NDArray[np.int64]
    offset: NDArray[np.int32]
    emission: NDArray[np.float32]
    height: NDArray[np.float32]
    odds: NDArray[np.float64]


def render_bank(sample: Lot, side: int, rng: np.random.Generator) -> Bank:
    """Render a sample's particles, light and shade included, for fields `side` pixels wide."""
    radii, odds = _radii(sample)
    boxes = sum((2 * _half(radius, sample) + 1) ** 2 for radius in radii)
    shapes = int(np.clip(BANK_PX // boxes, *SHAPES))
    texture = rough_tile(sample.grain_nm / PIXEL_NM, rng) * np.float32(sample.texture / PIXEL_NM)
    parts = [_render(float(radius), shapes, sample, texture, side, rng) for radius in radii]
    counts = np.concatenate([part[0] for part in parts])
    offset, emission, height = (np.concatenate([part[k] for part in parts]) for k in (1, 2, 3))
    return Bank(np.cumsum(counts) - counts, counts, offset, emission, height, np.repeat(odds / shapes, shapes))


def _radii(sample: Lot) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Radii in pixels and how often each occurs."""
    quantiles = np.array([NormalDist().inv_cdf((k + 0.5) / SIZE_CLASSES) for k in range(SIZE_CLASSES)])
    sigma = sample.polydispersity
    radii = 0.5 * sample.size_nm / PIXEL_NM * np.exp(sigma * quantiles - sigma**2 / 2)
    odds = np.full(SIZE_CLASSES, 1 / SIZE_CLASSES)
    if sample.coarse_share > 0:
        coarse = radii[::4] * sample.coarse_ratio
        radii = np.concatenate([radii, coarse])
        odds = np.concatenate([odds * (1 - sample.coarse_share), np.full(coarse.size, sample.coarse_share / coarse.size)])
    return np.clip(radii, 1.0, LARGEST_RADIUS_PX), odds


def _half(radius: float, sample: Lot) -> int:
    return int(np.ceil(1.1 * radius * np.sqrt(sample.elongation))) + 1


def rough_tile(grain_px: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Gaussian noise with a correlation length of `grain_px`, mean 0 and variance 1, that tiles; shape (128, 128)."""
    frequency = np.fft.fftfreq(TEXTURE_PX)
    keep = np.exp(-2 * (np.pi * grain_px) ** 2 * frequency**2)
    noise = np.fft.rfft2(rng.standard_normal((TEXTURE_PX, TEXTURE_PX)))
    tile = np.fft.irfft2(noise * keep[:, None] * keep[None, : TEXTURE_PX // 2 + 1], s=(TEXTURE_PX, TEXTURE_PX))
    return np.asarray((tile - tile.mean()) / tile.std(), np.float32)


def _render(
    radius: float, shapes: int, sample: Lot, texture: NDArray[np.float32], side: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """Render `shapes` particles of one radius in pixels: pixel counts, offsets, emission, heights."""
    half = _half(radius, sample)
    across = np.arange(-half, half + 1, dtype=np.float32) / np.float32(radius)
    y, x = across[:, None], across[None, :]
    drawn = rng.uniform(-1.0, 1.0, (shapes, 6 + 3 * FACETS)).astype(np.float32)
    turn = np.float32(np.pi) * drawn[:, 0]
    stretch = np.sqrt(np.float32(sample.elongation)) * (1 + np.float32(0.08) * drawn[:, 1])
    u = (np.cos(turn)[:, None, None] * x + np.sin(turn)[:, None, None] * y) / stretch[:, None, None]
    v = (np.cos(turn)[:, None, None] * y - np.sin(turn)[:, None, None] * x) * stretch[:, None, None]
    facets = np.clip(np.float32(sample.facetness) + np.float32(0.12) * drawn[:, 2], 0, 1)[:, None, None]
    edge = np.zeros_like(u)
    top = (
        np.float32(0.62)
        + np.float32(0.12) * drawn[:, 3, None, None]
        + np.float32(0.28) * (drawn[:, 4, None, None] * u + drawn[:, 5, None, None] * v)
    )
    for k in range(FACETS):
        turned, reach, slope = drawn[:, 6 + 3 * k], drawn[:, 7 + 3 * k], drawn[:, 8 + 3 * k]
        angle = np.float32(2 * np.pi / FACETS) * (k + np.float32(0.32) * turned)
        distance = np.float32(0.94) + np.float32(0.14) * reach
        along = (np.cos(angle) / distance)[:, None, None] * u + (np.sin(angle) / distance)[:, None, None] * v
        np.maximum(edge, along, out=edge)
        np.minimum(top, (np.float32(1.5) + np.float32(0.8) * slope)[:, None, None] * (1 - along), out=top)
    rim = (1 - facets) * np.sqrt(u * u + v * v) + facets * edge
    dome = np.sqrt(np.maximum(1 - rim * rim, 0))
    body = (np.float32(radius * (1 - 0.85 * sample.flatness))) * ((1 - facets) * dome + facets * np.maximum(top, 0))
    rough = _crops(texture, shapes, 2 * half + 1, rng)
    height = np.maximum(body, 0)
    inside = rim < 1
    emission = _emission(height + rough)[inside]
    rim_px = (1 - rim[inside]) * np.float32(radius)
    emission += np.float32(EDGE_GAIN) * np.exp(rim_px * np.float32(-PIXEL_NM / EDGE_NM))
    _, rows, columns = np.nonzero(inside)
    offset = ((rows - half) * side + (columns - half)).astype(np.int32)
    mean_radius = np.float32(0.5 * sample.size_nm / PIXEL_NM)
    return inside.sum(axis=(1, 2)), offset, emission, np.minimum(height[inside], mean_radius)


def _crops(texture: NDArray[np.float32], count: int, size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    corners = rng.integers(TEXTURE_PX, size=(count, 2))
    along = np.arange(size)
    return np.stack([texture[np.ix_((y + along) % TEXTURE_PX, (x + along) % TEXTURE_PX)] for y, x in corners])


def _emission(height: NDArray[np.float32]) -> NDArray[np.float32]:
    """Secondary electrons from the slopes of `height` (shapes, rows, columns): tilt and the side detector."""
    to_x, to_y = np.zeros_like(height), np.zeros_like(height)
    to_x[:, :, 1:-1] = np.float32(0.5) * (height[:, :, 2:] - height[:, :, :-2])
    to_y[:, 1:-1, :] = np.float32(0.5) * (height[:, 2:, :] - height[:, :-2, :])
    cosine = 1 / np.sqrt(1 + to_x * to_x + to_y * to_y)
    tilt = np.minimum(cosine ** np.float32(-TILT_EXPONENT), np.float32(LARGEST_TILT_GAIN))
    shade = (np.float32(SIDE_DETECTOR[0]) * to_x + np.float32(SIDE_DETECTOR[1]) * to_y) * -cosine
    return np.asarray(np.float32(FLAT_YIELD) * tilt + shade, np.float32)
