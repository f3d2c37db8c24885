"""A TIFF's images, one by one: of small files and single images from memory, of others from the open file."""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import tifffile

from edge_agent.core.errors import FrameRejectedError
from edge_agent.frames.reader import Stack, TooMuchError
from edge_agent.frames.readers.tiff.chain import walk
from edge_agent.frames.readers.tiff.directories import tiff_lacks
from edge_agent.frames.readers.tiff.imagej import images_said
from edge_agent.frames.readers.tiff.pages import check_compression, decoded, image_of, page_at, stored_image
from edge_agent.frames.refusal import refuse
from edge_agent.frames.share import open_shared

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from numpy.typing import NDArray

    from edge_agent.frames.limits import DecodeLimits
    from edge_agent.frames.page import Page
    from edge_agent.frames.reader import Source
    from edge_agent.frames.readers.tiff.chain import Chain

AT_ONCE_BYTES = 8 << 20
"""Files up to this size are read once and closed, whatever they hold; single images whatever their size."""
BUFFER_BYTES = 1 << 16
"""Read at once on the way along the directories: over a network each read is a round trip, and small images lie closer than this."""
MOST_PIXELS_A_BYTE = 256
"""Of a stack beyond what may be read whole, how many pixels a byte of the file may stand for, on average: many images that share one strip
are more."""
NO_NAME = "a TIFF"
"""What tifffile is told: by a name it would take some files for another kind."""
REASON_LENGTH = 120


@dataclass(frozen=True, slots=True)
class _Images:
    """What is known of a file once its directories were looked at.

    Attributes:
        chain: its directories.
        lacks: whether the file ends before what they name.
        said: how many images lie behind each other from the first on, which alone has a directory; 1 but in ImageJ stacks.
    """

    chain: Chain
    lacks: bool
    said: int

    @property
    def count(self) -> int:
        """How many there are."""
        return self.chain.count + self.said - 1


_known: dict[tuple[object, ...], tuple[Chain, bool]] = {}
"""The file that was last read in portions, as long as it has not changed: a chain can only be followed from its beginning."""


@contextlib.contextmanager
def open_stack(source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Stack]:
    """Every full-size image of the file; refuses one that ends before all that its directories name."""
    with contextlib.ExitStack() as opened:
        file, key = _open(source, limits, opened)
        tiff = _tiff(file, opened)
        images = _look(tiff, file, key, source.name, limits)
        if key and images.count == 1 and not isinstance(file, io.BytesIO):
            file = _whole(file, tiff.filehandle.size, source.name, limits)
            tiff = _tiff(file, opened)
        if images.chain.count > 1:
            check_compression(tiff, images.chain.offsets[0], source.name)
        yield Stack(images.count, _Pages(tiff, file, images, source, limits, time_zone).page)


def _open(source: Source, limits: DecodeLimits, opened: contextlib.ExitStack) -> tuple[BinaryIO, tuple[object, ...]]:
    """The content, or the open file, and what tells this state of the file from others."""
    if source.content:
        return io.BytesIO(source.content), ()
    raw = opened.enter_context(open_shared(source.path))
    state = os.fstat(raw.fileno())
    key = (source.path, state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, limits)
    if state.st_size <= min(AT_ONCE_BYTES, limits.file_bytes):
        return _whole(raw, state.st_size, source.name, limits), key
    return opened.enter_context(io.BufferedReader(raw, BUFFER_BYTES)), key


def _whole(file: Any, size: int, name: str, limits: DecodeLimits) -> io.BytesIO:
    """All of it, read and closed, so that the instrument does not find its file in use while it is decoded."""
    if size > limits.file_bytes:
        refuse(name, "too_large", f"is a file of {size} bytes, {limits.file_bytes} are allowed")
    with file:
        file.seek(0)
        content = b""
        while piece := file.read(size + 1 - len(content)):
            content = content + piece if content else piece  # usually one piece; network drives and 2 GiB make more
    return io.BytesIO(content)


def _tiff(file: BinaryIO, opened: contextlib.ExitStack) -> Any:
    """By tifffile, which is kept from following the chain of some vendors' files itself."""
    return opened.enter_context(tifffile.TiffFile(file, name=NO_NAME, is_scanimage=False, is_ndpi=False))


def _look(tiff: Any, file: BinaryIO, key: tuple[object, ...], name: str, limits: DecodeLimits) -> _Images:
    chain, lacks = _known.get(key) or (walk(tiff, file, name, limits), None)
    if lacks is None:
        lacks = chain.is_cut or _lacks(file, tiff.filehandle.size)
        if key and chain.count > limits.portion_frames:
            _known.clear()
            _known[key] = chain, lacks
    if lacks and chain.count != 1:
        refuse(name, "truncated", "ends before its last directory")
    if chain.count > limits.frames or chain.pixels > limits.decoded_bytes:
        size = tiff.filehandle.size
        if chain.small > limits.frames:
            refuse(name, "too_large", f"holds {chain.count} images, and {chain.small} are too small to be frames")
        if chain.pixels > size * MOST_PIXELS_A_BYTE:
            refuse(name, "too_large", f"says that it has {chain.pixels} pixels in {size} bytes")
    said = _said(tiff, chain, name)
    if lacks and said > 1:
        refuse(name, "truncated", f"ends before the last of its {said} images")
    return _Images(chain, lacks, said)


def _lacks(file: BinaryIO, size: int) -> bool:
    try:
        return tiff_lacks(file, size)
    except TooMuchError:
        return False


def _said(tiff: Any, chain: Chain, name: str) -> int:
    """How many images an ImageJ stack holds of which only the first has a directory."""
    if chain.directories != 1:
        return 1
    page = tiff.pages.first
    said = images_said(str(page.description).encode("utf-8", "replace"))
    if said == 1 or page.compression != 1 or page.samplesperpixel != 1 or not page.is_contiguous:
        return 1
    begin, length, size = int(page.dataoffsets[0]), int(page.nbytes), tiff.filehandle.size
    if not length or page.offset > begin or size <= begin + length:
        return 1
    if begin + said * length > size:
        refuse(name, "truncated", f"ends before the last of its {said} images")
    return said


class _Pages:
    """Reads one image of the file after another."""

    def __init__(self, tiff: Any, file: BinaryIO, images: _Images, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> None:
        self._tiff = tiff
        self._file = file
        self._images = images
        self._source = source
        self._limits = limits
        self._time_zone = time_zone
        self._volume_at = -1
        self._volume: NDArray[Any] | Exception | None = None
        if len(images.chain.offsets) == 1 < images.chain.count:  # it stands for the file
            self._volume_of(page_at(tiff, images.chain.offsets[0]), "")

    def page(self, place: int) -> Page:
        """The image at `place`."""
        name, images = self._source.name, self._images
        where = f"frame {place}" if images.count > 1 else ""
        try:
            image = self._read(place, where)
        except (FrameRejectedError, MemoryError, OSError):
            raise
        except Exception as error:
            if not where:
                raise
            reason = " ".join(str(error)[:REASON_LENGTH].split()) or type(error).__name__
            refuse(name, "decoder_failed", f"{where} cannot be decoded ({reason})")  # not truncated: that was looked at before
        if images.lacks:  # what tifffile leaves out without a word
            refuse(name, "truncated", "ends before its last directory")
        return image

    def _read(self, place: int, where: str) -> Page:
        chain = self._images.chain
        if place >= chain.count:
            return self._behind(place - chain.count + 1, where)
        offset, plane = chain.find(place)
        page = page_at(self._tiff, offset)
        if "Z" in page.axes:
            values = self._volume_of(page, f"the volume from frame {place - plane} on")
        else:
            values = decoded(page, self._source.name, where, self._limits)
        return image_of(page, values, plane, self._source, self._time_zone)

    def _volume_of(self, page: Any, where: str) -> NDArray[Any]:
        """A volume's values, decoded once while its planes are asked for one by one, or why they cannot be."""
        if page.offset != self._volume_at:
            self._volume_at, self._volume = page.offset, None
            try:
                self._volume = decoded(page, self._source.name, where, self._limits)
            except Exception as error:  # noqa: BLE001 - raised below, and for its other planes
                self._volume = error
        if self._volume is None or isinstance(self._volume, Exception):
            raise self._volume or RuntimeError(where)
        return self._volume

    def _behind(self, number: int, where: str) -> Page:
        """The image of an ImageJ stack that is so many behind the one with the directory."""
        page = self._tiff.pages.first
        length = int(page.nbytes)
        self._file.seek(int(page.dataoffsets[0]) + number * length)
        content = self._file.read(length)
        if len(content) < length:
            refuse(self._source.name, "truncated", f"ends within {where}")
        return stored_image(page, content, self._source, self._time_zone)
