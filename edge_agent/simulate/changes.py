"""Known changes of the acquisition, applied to frames that are normal: what a calibration learns their signatures from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from edge_agent.simulate.column import Filament, blur

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from edge_agent.core.frame import Pixels

    Intensity = NDArray[np.floating]
    Alter = Callable[[Intensity, np.random.Generator], Intensity]

FILAMENT_STRENGTHS = (0.5, 1.0, 2.0, 3.0)
BRIGHTNESS_OFFSETS = (0.1, 0.25)
"""Of full scale."""
CONTRAST_GAINS = (0.7, 0.4)
FOCUS_SIGMAS_PX = (0.5, 1.0, 2.5)
NOISE_RISES = (0.15, 0.5)
"""Of the frame's noise."""
DOSE_LOSSES = (0.3, 0.6)
"""Of the electrons a pixel."""


@dataclass(frozen=True, slots=True)
class AcquisitionChange:
    """One change at one strength.

    Attributes:
        name: what a person calls it, such as "filament change".
        strength: in the change's own unit: the filament's strength, a fraction of full scale, a fraction of contrast, dose or
            noise, pixels of blur.
    """

    name: str
    strength: float
    _alter: Alter

    def apply(self, pixels: Pixels, rng: np.random.Generator, full_scale: float = 255.0) -> Pixels:
        """Return `pixels` (height, width) as they would have been recorded; `full_scale` stands for intensity 1."""
        seen = np.clip(self._alter(pixels / full_scale, rng), 0, 1) * full_scale
        return cast("Pixels", (np.rint(seen) if pixels.dtype.kind == "u" else seen).astype(pixels.dtype))


def known_changes() -> Iterator[AcquisitionChange]:
    """Each known change as a path of growing strength."""
    for strength in FILAMENT_STRENGTHS:
        yield AcquisitionChange("filament change", strength, _through(Filament(strength)))
    for offset in BRIGHTNESS_OFFSETS:
        yield AcquisitionChange("rise in brightness", offset, _shifted(offset))
        yield AcquisitionChange("fall in brightness", offset, _shifted(-offset))
    for gain in CONTRAST_GAINS:
        yield AcquisitionChange("loss of contrast", round(1 - gain, 2), _contrast(gain))
    for sigma_px in FOCUS_SIGMAS_PX:
        yield AcquisitionChange("loss of focus", sigma_px, _blurred(sigma_px))
    for rise in NOISE_RISES:
        yield AcquisitionChange("rise in noise", rise, _noisier(rise))
    for loss in DOSE_LOSSES:
        yield AcquisitionChange("loss of dose", loss, _dimmer(loss))


def _through(filament: Filament) -> Alter:
    return lambda intensity, rng: np.asarray(filament.apply(intensity.astype(np.float32), rng), np.float32)


def _shifted(offset: float) -> Alter:
    return lambda intensity, _rng: intensity + offset


def _contrast(gain: float) -> Alter:
    return lambda intensity, _rng: intensity.mean() + gain * (intensity - intensity.mean())


def _blurred(sigma_px: float) -> Alter:
    return lambda intensity, _rng: blur(intensity.astype(np.float32), sigma_px)


def _noisier(rise: float) -> Alter:
    """White noise beside the frame's own, so that the noise is 1 + `rise` times what it was."""
    return lambda intensity, rng: intensity + rng.standard_normal(intensity.shape) * noise_of(intensity) * math.sqrt((1 + rise) ** 2 - 1)


def _dimmer(loss: float) -> Alter:
    """Fewer electrons at the same gain: signal falls with the dose, the noise of a counted signal with its root.

    All of the frame's noise is taken to be shot noise: scaled by 1 - `loss` it lacks the variance loss (1 - loss), which is added.
    """
    missing = math.sqrt(loss * (1 - loss))
    return lambda intensity, rng: intensity * (1 - loss) + rng.standard_normal(intensity.shape) * noise_of(intensity) * missing


def noise_of(intensity: Intensity) -> float:
    """Standard deviation of white noise (Immerkaer 1996, Computer Vision and Image Understanding 64(2), 300-302)."""
    rows = intensity[:-2] - 2 * intensity[1:-1] + intensity[2:]
    both = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
    return float(np.abs(both).mean()) * math.sqrt(math.pi / 2) / 6
