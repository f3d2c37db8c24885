"""Images that lie in a file as they are, behind a header that says where and of which type."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.frames.refusal import refuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_agent.frames.limits import DecodeLimits
    from edge_agent.frames.reader import Source

MOST_DIGITS = 15


def whole(text: str) -> int:
    """A whole number that a header states; 0 for anything else, and for what no file could hold.

    >>> whole("512"), whole("-5"), whole("9" * 40)
    (512, 0, 0)
    """
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS else 0


def check_shape(name: str, shape: tuple[int, ...], itemsize: int, limits: DecodeLimits) -> None:
    """Refuse what a header says of images of the shape (..., height, width), unless it is allowed, before anything is allocated."""
    if min(shape) < 1:
        refuse(name, "decoder_failed", f"its header says {' x '.join(map(str, reversed(shape)))} pixels")
    height, width = shape[-2:]
    if width * height > limits.frame_pixels:
        refuse(name, "too_large", f"its header says {width} x {height} pixels, {limits.frame_pixels} in all are allowed")
    if (needed := math.prod(shape) * itemsize) > limits.decoded_bytes:
        refuse(name, "too_large", f"its header asks for {needed} bytes, {limits.decoded_bytes} are allowed")


def stored(source: Source, begins: int, shape: tuple[int, ...], dtype: np.dtype[Any], limits: DecodeLimits) -> NDArray[Any]:
    """The values of the shape (..., height, width) that lie from `begins` on, in the machine's byte order; refuses by name."""
    check_shape(source.name, shape, dtype.itemsize, limits)
    needed = math.prod(shape) * dtype.itemsize
    there = len(source.content) - begins
    if there < needed:
        refuse(source.name, "truncated", f"holds {max(0, there)} of the {needed} bytes of its image")
    values = np.frombuffer(source.content, dtype, math.prod(shape), begins).reshape(shape)
    return values.astype(dtype.newbyteorder("="), copy=False)


def parse_braced(text: str) -> dict[str, str]:
    r"""The keys of a header `{ KEY = value ; ... }`, by their names in lower case; of a key that comes twice the first counts.

    >>> parse_braced("{\nDim_1 = 64 ;\nDIM_1=3;\nTitle = a = b ;\n}\n")
    {'dim_1': '64', 'title': 'a = b'}
    """
    keys: dict[str, str] = {}
    for entry in text.strip(" \r\n\0{}\x0c").split(";"):
        key, equals, value = entry.partition("=")
        if equals:
            keys.setdefault(key.strip().lower(), value.strip())
    return keys
