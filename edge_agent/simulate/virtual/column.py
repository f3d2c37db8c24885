"""The virtual column and detector: what beam, focus, scan, charging, contamination and amplifier make of a spot's emission."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from edge_agent.simulate.column import BLUR_SIGMA_PX, GAIN_LOSS, OFFSET, SHOT_COUNTS, Filament
from edge_agent.simulate.virtual.stamps import PIXEL_NM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ELEMENTARY_CHARGE_C: Final = 1.602176634e-19
USUAL_CURRENT_PA: Final = 60.0
USUAL_DWELL_US: Final = 3.0
PROBE_SIGMA_NM: Final = 35.0
"""Of the focused probe."""
STREAK_PX: Final = 48
"""Charge left by a bright edge takes this many pixels of the scan line to flow off."""
CHARGES_ABOVE: Final = 0.72
"""Emission, share of full scale, above which a place charges."""


@dataclass(frozen=True, slots=True)
class Column:
    """State of column, scan and detector while one sample is imaged.

    Attributes:
        current_pa: beam current.
        dwell_us: dwell time a pixel.
        contrast: the detector's gain relative to the usual one.
        brightness: the detector's offset, share of full scale.
        electronic_noise: rms of the amplifier, share of full scale.
        defocus_nm: sigma of the blur by defocus.
        astigmatism_nm: further blur along y (positive) or x (negative).
        drift_px: the stage's drift along x over one frame, pixels, within +-2.
        charging: how much darker a scan line gets behind charged places; 0 for a good conductor.
        contamination: share of the signal lost by each earlier scan of the same field.
        earlier_scans: how often the field was scanned before.
    """

    current_pa: float = USUAL_CURRENT_PA
    dwell_us: float = USUAL_DWELL_US
    contrast: float = 1.0
    brightness: float = 0.02
    electronic_noise: float = 0.008
    defocus_nm: float = 10.0
    astigmatism_nm: float = 0.0
    drift_px: float = 0.0
    charging: float = 0.15
    contamination: float = 0.04
    earlier_scans: int = 0

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in (self.contrast, self.brightness, self.astigmatism_nm, self.drift_px)):
            raise ValueError("contrast, brightness, astigmatism and drift are finite numbers")
        positive = {"current_pa": self.current_pa, "dwell_us": self.dwell_us, "contrast": self.contrast}
        for name, value in positive.items():
            if not 0 < value < math.inf:
                raise ValueError(f"{name} is a number above 0, not {value!r}")
        if min(self.electronic_noise, self.defocus_nm, self.charging, self.contamination, self.earlier_scans) < 0:
            raise ValueError("electronic_noise, defocus_nm, charging, contamination and earlier_scans are 0 or more")
        if abs(self.drift_px) > 2 or self.contamination > 1 or not max(self.defocus_nm, abs(self.astigmatism_nm)) <= 1000:
            raise ValueError("drift_px is within +-2, contamination at most 1, defocus and astigmatism at most 1000 nm")

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Self:
        """As an operator leaves it for one sample: small scatter of current, contrast, brightness, focus, stigmator and drift."""
        draw = rng.standard_normal(7)
        return cls(
            current_pa=USUAL_CURRENT_PA * math.exp(0.03 * draw[0]),
            contrast=math.exp(0.03 * draw[1]),
            brightness=0.02 + 0.006 * draw[2],
            defocus_nm=abs(14.0 * draw[3]),
            astigmatism_nm=10.0 * draw[4],
            drift_px=max(-1.5, min(1.5, 0.3 * draw[5])),
            charging=0.15 * math.exp(0.4 * draw[6]),
        )

    @property
    def electrons(self) -> float:
        """Primary electrons a pixel, I t / e."""
        return self.current_pa * 1e-12 * self.dwell_us * 1e-6 / ELEMENTARY_CHARGE_C

    def expose(self, emission: NDArray[np.float32], frame_px: int, filament: float = 0.0) -> NDArray[np.float32]:
        """Noise-free signal of a spot whose opposite edges meet.

        Args:
            emission: shape (side, side), share of full scale at the usual current, dwell and contrast.
            frame_px: rows of a frame, over which the stage drifts.
            filament: strength of a filament change, see `edge_agent.simulate.Filament`: the current falls by 20 % a unit and
                the probe gets 0.7 pixels (35 nm) wider a unit, in quadrature.

        Returns:
            Signal before the detector's offset, share of full scale, same shape.
        """
        change = Filament(filament)
        focused = PROBE_SIGMA_NM**2 + self.defocus_nm**2 + (BLUR_SIGMA_PX * PIXEL_NM * change.strength) ** 2
        extra = self.astigmatism_nm**2
        along_x = math.sqrt(focused + (extra if self.astigmatism_nm < 0 else 0)) / PIXEL_NM
        along_y = math.sqrt(focused + (extra if self.astigmatism_nm > 0 else 0)) / PIXEL_NM
        seen = _blur(_blur(emission, along_x, 1), along_y, 0)
        if self.charging > 0:
            seen -= np.float32(self.charging) * _streaks(seen)
        if self.drift_px != 0:
            seen = _drift(seen, self.drift_px, frame_px)
        kept = (1 - self.contamination) ** self.earlier_scans
        gain = self.contrast * self.electrons / Column().electrons * kept * (1 - GAIN_LOSS * change.strength)
        return np.maximum(seen, 0) * np.float32(gain)

    def detect(self, signal: NDArray[np.float32], generators: Sequence[np.random.Generator], filament: float = 0.0) -> NDArray[np.uint8]:
        """Record frames: shot noise, the amplifier's noise and offset, 8 bits.

        Shot noise is normal with the Poisson variance: with some 1100 electrons at full scale and 14 in the darkest hundredth of
        the pixels, quantiles two sigma out differ from Poisson by (z^2 - 1) / 6, half an electron, a tenth of an 8-bit step.
        A changed filament adds its offset and emission noise of the variance that `Filament` states, intensity s^2 / 100. There
        mean and variance agree with `Filament`, the shape does not: it counts few electrons when s is large and is more skewed.

        Args:
            signal: shape (frames, height, width), as from `expose`.
            generators: one a frame.
            filament: strength of a filament change.
        """
        change = Filament(filament)
        frames = np.empty(signal.shape, np.uint8)
        for frame, level, rng in zip(frames, signal, generators, strict=True):
            offset = self.brightness + OFFSET * change.strength
            counts = self.contrast / Column().electrons * (1 - GAIN_LOSS * change.strength)
            flicker = change.strength**2 / SHOT_COUNTS
            variance = level * np.float32(counts + flicker) + np.float32(self.electronic_noise**2 + flicker * max(offset, 0.0))
            noise = rng.standard_normal(level.shape, dtype=np.float32)
            noise *= np.sqrt(variance)
            noise += level
            noise += np.float32(offset)
            noise *= np.float32(255)
            np.clip(noise, 0, 255, out=noise)
            frame[:] = np.rint(noise, out=noise)
        return frames


def _blur(image: NDArray[np.float32], sigma_px: float, axis: int) -> NDArray[np.float32]:
    """Convolve with a Gaussian along one axis whose ends meet; cut at 3 sigma."""
    radius = max(1, math.ceil(3 * sigma_px))
    weights = [math.exp(-0.5 * (k / sigma_px) ** 2) for k in range(radius + 1)]
    total = weights[0] + 2 * sum(weights[1:])
    padding = [(0, 0), (0, 0)]
    padding[axis] = (radius, radius)
    wide = np.pad(image, padding, mode="wrap")
    size = image.shape[axis]

    def shifted(k: int) -> NDArray[np.float32]:
        return wide[:, radius + k : radius + k + size] if axis else wide[radius + k : radius + k + size]

    seen: NDArray[np.float32] = shifted(0) * np.float32(weights[0] / total)
    pair = np.empty_like(seen)
    for k in range(1, radius + 1):
        np.add(shifted(-k), shifted(k), out=pair)
        pair *= np.float32(weights[k] / total)
        seen += pair
    return seen


def _streaks(seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """What bright places leave on the rest of their scan line: their excess averaged over the last STREAK_PX pixels, times 10."""
    excess = np.maximum(seen - np.float32(CHARGES_ABOVE), 0)
    before = np.cumsum(np.concatenate((excess[:, -STREAK_PX:], excess), axis=1), axis=1)
    return np.asarray((before[:, STREAK_PX:] - before[:, :-STREAK_PX]) * np.float32(10 / STREAK_PX), np.float32)


def _drift(seen: NDArray[np.float32], drift_px: float, frame_px: int) -> NDArray[np.float32]:
    """Shear rows by up to `drift_px` along x within each frame, interpolating between neighbours."""
    way = (np.arange(seen.shape[0]) % frame_px / frame_px * abs(drift_px)).astype(np.float32)
    toward = -1 if drift_px > 0 else 1
    whole = way.astype(int)
    sheared = np.empty_like(seen)
    for steps in np.unique(whole):
        rows = whole == steps
        near = np.roll(seen[rows], toward * int(steps), axis=1)
        sheared[rows] = near + (way[rows] - steps)[:, None] * (np.roll(near, toward, axis=1) - near)
    return sheared
