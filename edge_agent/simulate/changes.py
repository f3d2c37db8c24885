"""Known changes of the acquisition, applied to frames that are normal: what a calibration learns their signatures from."""

from __future__ import annotations

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
FOCUS_SIGMAS_PX = (1.0, 2.5)


@dataclass(frozen=True, slots=True)
class AcquisitionChange:
    """One change at one strength.

    Attributes:
        name: what a person calls it, such as "filament change".
        strength: in the change's own unit: the filament's strength, a fraction of full scale, a lost fraction of contrast, pixels of blur.
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


def _through(filament: Filament) -> Alter:
    return lambda intensity, rng: np.asarray(filament.apply(intensity.astype(np.float32), rng), np.float32)


def _shifted(offset: float) -> Alter:
    return lambda intensity, _rng: intensity + offset


def _contrast(gain: float) -> Alter:
    return lambda intensity, _rng: intensity.mean() + gain * (intensity - intensity.mean())


def _blurred(sigma_px: float) -> Alter:
    return lambda intensity, _rng: blur(intensity.astype(np.float32), sigma_px)
