"""From whatever a file stores to one grey channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.frames.refusal import refuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.core.frame import Pixels

LUMINANCE = (0.299, 0.587, 0.114)
"""ITU-R BT.601: what cameras and Pillow call grey."""
COLOUR_NOTE = "reduced to luminance (ITU-R BT.601)"


def to_grey(name: str, values: NDArray[Any]) -> tuple[Pixels, str]:
    """Reduce (height, width) or (height, width, 1 to 4) to grey; also a note where colour was lost, else "".

    Equal channels are that grey; an alpha channel is dropped.
    """
    if values.ndim == 2:
        return to_pixels(name, values), ""
    channels = values.shape[2]
    if channels in {1, 2}:
        return to_pixels(name, values[:, :, 0]), ""
    red, green, blue = values[:, :, 0], values[:, :, 1], values[:, :, 2]
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return to_pixels(name, red), ""
    mixed = sum(weight * channel.astype(np.float32) for weight, channel in zip(LUMINANCE, (red, green, blue), strict=True))
    luminance: NDArray[Any] = np.asarray(mixed)
    if values.dtype.kind == "u":
        luminance = np.rint(luminance).astype(values.dtype)
    return to_pixels(name, luminance), COLOUR_NOTE


def to_pixels(name: str, values: NDArray[Any]) -> Pixels:
    """Bring values to uint8, uint16 or float32, C-contiguous, native byte order."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind == "b":
        return np.where(values, np.uint8(255), np.uint8(0))
    if kind == "u" and size == 1:
        return np.ascontiguousarray(values, dtype=np.uint8)
    if kind == "u" and size == 2:
        return np.ascontiguousarray(values, dtype=np.uint16)
    if kind in "iuf":
        if kind != "f" and size <= 4 and int(values.min()) >= 0 and int(values.max()) <= 65535:
            return np.ascontiguousarray(values, dtype=np.uint16)
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(values, dtype=np.float32)
    return refuse(name, "unsupported", f"holds values of type {values.dtype}")


def full_scale_of(pixels: Pixels, bits: int | None) -> float:
    """The value that stands for intensity 1.

    Integers: 2**bits - 1 where the file says how many bits were used and no pixel contradicts it, else the type's largest value.
    Floats: 1 when all lie in [0, 1], else the frame's own maximum, because a float file states no scale.
    """
    largest = float(pixels.max())
    if pixels.dtype.kind == "f":
        return max(1.0, largest)
    type_bits = pixels.dtype.itemsize * 8
    if bits is not None and 0 < bits < type_bits and largest <= 2**bits - 1:
        return float(2**bits - 1)
    return float(2**type_bits - 1)
