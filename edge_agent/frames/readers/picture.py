"""PNG, JPEG and BMP, by Pillow."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from edge_agent.frames.readers.beside import read_beside
from edge_agent.frames.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from numpy.typing import NDArray
    from PIL import Image

    from edge_agent.frames.limits import DecodeLimits
    from edge_agent.frames.page import Page
    from edge_agent.frames.reader import Source

TAIL_BYTES = 1 << 16
"""How far from the end a PNG's or JPEG's last mark may lie: some instruments append their own bytes."""


@dataclass(frozen=True, slots=True)
class PictureReader:
    """One of Pillow's formats; a Reader.

    Attributes:
        signature: its first bytes.
        last_mark: the bytes that end its picture; b"" where its header tells the file's length instead.
    """

    name: str
    suffixes: tuple[str, ...]
    signature: bytes
    last_mark: bytes
    rule: str
    by_path: bool = False
    library: str = "pillow"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - a signature needs no name
        """By the first bytes."""
        return head.startswith(self.signature)

    def lacks(self, file: BinaryIO, size: int) -> bool:
        """Whether the last mark, or part of the promised length, is missing."""
        if self.last_mark:
            file.seek(max(0, size - TAIL_BYTES))
            return self.last_mark not in file.read(TAIL_BYTES)
        file.seek(2)
        (promised,) = struct.unpack("<I", file.read(4).ljust(4, b"\0"))
        return bool(size < promised)

    def read(self, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Page]:
        """The picture's one page; its size is checked before it is decoded."""
        from PIL import Image  # noqa: PLC0415 - a decoder loads only what its files need

        Image.MAX_IMAGE_PIXELS = None  # our own limit is checked below, before anything is allocated
        with Image.open(io.BytesIO(source.content), formats=[self.name]) as image:
            width, height = image.size
            if width * height > limits.frame_pixels:
                most = limits.frame_pixels
                refuse(source.name, "too_large", f"its header says {width} x {height} pixels, {most} in all are allowed")
            try:
                image.load()
            except OSError as error:
                if "truncated" in str(error).lower() or "incomplete" in str(error).lower():
                    refuse(source.name, "truncated", f"{self.name} ends before its last row")
                raise
            record = read_beside(source, (height, width), time_zone)
            for key, value in image.info.items():
                if isinstance(value, str):
                    record.also(str(key), value)
            yield record.page(_values(image))


PNG = PictureReader("PNG", (".png",), b"\x89PNG\r\n\x1a\n", b"IEND", "its last chunk, IEND, is there")
JPEG = PictureReader("JPEG", (".jpg", ".jpeg"), b"\xff\xd8\xff", b"\xff\xd9", "its end-of-image mark is there")
BMP = PictureReader("BMP", (".bmp",), b"BM", b"", "it is as long as its header says")


def _values(image: Image.Image) -> NDArray[Any]:
    if image.mode in {"1", "L", "I", "F", "RGB", "RGBA", "LA"} or image.mode.startswith("I;16"):
        return np.asarray(image)
    return np.asarray(image.convert("RGB"))
