"""DM3 and DM4 of Gatan's DigitalMicrograph: images, stacks and spectra, by a parser of our own, as there is no permissive one."""

from __future__ import annotations

import bisect
import contextlib
import io
import itertools
from typing import TYPE_CHECKING, BinaryIO

from edge_agent.frames.reader import Stack, all_pages
from edge_agent.frames.readers.dm.tags import parse_header
from edge_agent.frames.refusal import refuse
from edge_agent.frames.share import open_shared

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from edge_agent.frames.limits import DecodeLimits
    from edge_agent.frames.page import Page
    from edge_agent.frames.reader import Source
    from edge_agent.frames.readers.dm.images import DmImage

HEADER_BYTES = 64


class DmReader:
    """DM3 and DM4; a StackReader."""

    name = "DM"
    suffixes = (".dm3", ".dm4")
    rule = "it is as long as its header says that its tags are"
    by_path = True
    library = ""

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - a signature needs no name
        """By the version, the byte order and the first tag's kind."""
        return parse_header(head) is not None

    def lacks(self, file: BinaryIO, size: int) -> bool:
        """Whether the file is shorter than its tags; a length of nothing is one that is not yet known."""
        header = parse_header(file.read(HEADER_BYTES))
        return header is None or header.end == header.begin or size < header.end

    @contextlib.contextmanager
    def stack(self, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Stack]:  # noqa: ARG002 - its times are in UTC
        """The images but thumbnails, one by one; the planes of a stack are frames each."""
        from edge_agent.frames.readers.dm.images import images_of  # noqa: PLC0415 - looks need none of it
        from edge_agent.frames.readers.dm.tags import Tags  # noqa: PLC0415 - as above

        with io.BufferedReader(open_shared(source.path)) as file:
            header = parse_header(file.read(HEADER_BYTES))
            if header is None:
                refuse(source.name, "truncated", "ends within its header")
            images = images_of(Tags(file, header).root)
            ends = list(itertools.accumulate(image.planes for image in images))

            def page(place: int) -> Page:
                number = bisect.bisect_right(ends, place)
                return _page(file, images[number], place - (ends[number] - images[number].planes), source.name, limits)

            yield Stack(ends[-1] if ends else 0, page)

    read = all_pages


DM = DmReader()


def _page(file: BinaryIO, image: DmImage, plane: int, name: str, limits: DecodeLimits) -> Page:
    import numpy as np  # noqa: PLC0415 - a look needs none

    from edge_agent.frames.readers.dm.images import BLUE_GREEN_RED, COMPLEX, GREY, axis_of, read_tags  # noqa: PLC0415 - as above

    if image.kind in COMPLEX:
        refuse(name, "unsupported", "holds complex numbers, and the models look at grey images")
    if image.kind not in GREY and image.kind != BLUE_GREEN_RED:
        refuse(name, "unsupported", f"holds values of DigitalMicrograph's type {image.kind}")
    if image.is_spectrum_image:
        refuse(name, "unsupported", "is a spectrum image, whose planes are channels of spectra")
    shape, size = image.shape[-2:], image.dtype.itemsize
    pixels = shape[0] * shape[-1] if len(shape) > 1 else shape[0]
    if pixels > limits.frame_pixels:
        refuse(name, "too_large", f"its tags say {' x '.join(map(str, reversed(shape)))} pixels, {limits.frame_pixels} in all are allowed")
    if image.data.count * image.data.dtype.itemsize != image.planes * pixels * size:
        refuse(name, "decoder_failed", "its dimensions and its data do not fit")
    file.seek(image.data.begin + plane * pixels * size)
    content = file.read(pixels * size)
    if len(content) < pixels * size:
        refuse(name, "truncated", "ends within its pixels")
    values = np.frombuffer(content, image.dtype.base).reshape(*shape, *image.dtype.shape)
    if image.kind == BLUE_GREEN_RED:
        values = values[..., 2::-1]
    return read_tags(image).page(values, axis=axis_of(image) if len(shape) == 1 else None)
