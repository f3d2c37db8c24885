"""PNG, JPEG and BMP, by Pillow."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from edge_agent.core.frame import Acquisition
from edge_agent.frames.page import Page
from edge_agent.frames.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from edge_agent.frames.limits import DecodeLimits

CENTIMETRES_AN_INCH = 2.54


def read_picture(form: str, content: bytes, name: str, limits: DecodeLimits) -> Iterator[Page]:
    """The picture's one page; its size is checked before it is decoded."""
    Image.MAX_IMAGE_PIXELS = None  # our own limit is checked below, before anything is allocated
    with Image.open(io.BytesIO(content), formats=[form]) as image:
        width, height = image.size
        if width * height > limits.frame_pixels:
            refuse(name, "too_large", f"its header says {width} x {height} pixels, {limits.frame_pixels} in all are allowed")
        try:
            image.load()
        except OSError as error:
            if "truncated" in str(error).lower() or "incomplete" in str(error).lower():
                refuse(name, "truncated", f"{form} ends before its last row")
            raise
        extra = {str(key): str(value) for key, value in image.info.items() if isinstance(value, str)}
        yield Page(_values(image), Acquisition(extra=extra))


def _values(image: Image.Image) -> NDArray[Any]:
    if image.mode in {"1", "L", "I", "F", "RGB", "RGBA", "LA"} or image.mode.startswith("I;16"):
        return np.asarray(image)
    return np.asarray(image.convert("RGB"))
