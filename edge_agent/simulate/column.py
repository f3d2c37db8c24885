"""The microscope's column: what an ageing or replaced filament does to a recorded frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.core.frame import Pixels

GAIN_LOSS = 0.20
OFFSET = 0.05
BLUR_SIGMA_PX = 0.7
SHOT_COUNTS = 100.0


@dataclass(frozen=True, slots=True)
class Filament:
    """A filament change of a given strength: less beam current, an offset, a softer probe, more shot noise.

    Strength 1 stands for the filament change of Zhang, Kailkhura & Han 2021; 0.5 is mild, 2 strong, 0 changes nothing.
    At strength s: gain 1 - 0.2 s, offset +0.05 s of full scale, Gaussian blur of 0.7 s full-resolution pixels, and
    Poisson noise with 100 / s^2 counts at full intensity.

    Attributes:
        strength: s, from 0 up to less than 5, where no signal would be left.
    """

    strength: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.strength < 1.0 / GAIN_LOSS:
            raise ValueError(f"a filament's strength is from 0 to less than {1.0 / GAIN_LOSS:g}, not {self.strength!r}")

    def apply(self, pixels: Pixels, rng: np.random.Generator) -> Pixels:
        """Return `pixels` (height, width; uint8, uint16, or float32 in [0, 1]) as this filament would have shown them."""
        if self.strength == 0.0:
            return pixels
        whole = pixels.dtype.kind == "u"
        full_scale = float(2 ** (8 * pixels.dtype.itemsize) - 1) if whole else 1.0
        seen = blur(pixels.astype(np.float32) / np.float32(full_scale), BLUR_SIGMA_PX * self.strength)
        seen = seen * np.float32(1.0 - GAIN_LOSS * self.strength) + np.float32(OFFSET * self.strength)
        counts = SHOT_COUNTS / self.strength**2
        seen = rng.poisson(np.clip(seen, 0.0, None) * counts).astype(np.float32) / np.float32(counts)
        scaled = np.clip(seen, 0.0, 1.0) * np.float32(full_scale)
        return cast("Pixels", (np.rint(scaled) if whole else scaled).astype(pixels.dtype))


def blur(image: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    """Convolve `image` (height, width) with a Gaussian of `sigma_px`, mirrored at the edges."""
    if sigma_px <= 0.0:
        return image
    radius = max(1, int(np.ceil(4.0 * sigma_px)))
    offsets = np.arange(-radius, radius + 1, dtype=np.float32)
    kernel = np.exp(-0.5 * (offsets / np.float32(sigma_px)) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        padding = [(0, 0), (0, 0)]
        padding[axis] = (radius, radius)
        padded = np.pad(image, padding, mode="symmetric")
        size = image.shape[axis]
        image = np.zeros_like(image)
        for start, weight in enumerate(kernel):
            image += weight * np.take(padded, range(start, start + size), axis=axis)
    return image
