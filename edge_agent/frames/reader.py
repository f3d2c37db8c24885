"""What reads one format, and what it is given to read from."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO, NoReturn, Protocol, runtime_checkable

from edge_agent.frames.refusal import refuse
from edge_agent.frames.share import open_shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from datetime import tzinfo

    from edge_agent.frames.limits import DecodeLimits
    from edge_agent.frames.page import Page

HEAD_BYTES = 1024
"""How much of a file's beginning tells its format."""
BESIDE_BYTES = 8 << 20
"""The largest side-car that is read."""


class TooMuchError(Exception):
    """A header is longer than a look may take."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file to be read.

    Attributes:
        path: its absolute path, for readers that are `by_path`.
        name: path relative to the stream: what refusals call it.
        content: all its bytes, read once; b"" for readers that are `by_path`.
    """

    path: str
    name: str
    content: bytes

    def beside(self, name: str) -> bytes | None:
        """The bytes of an ordinary file of this name in the same folder, a side-car; None when there is none or it is too large."""
        if not name or PurePath(name).name != name:
            return None
        path = os.path.join(os.path.dirname(self.path), name)  # noqa: PTH118, PTH120 - the path may hold what pathlib would normalise away
        try:
            state = os.stat(path)  # noqa: PTH116 - as above
            if not stat.S_ISREG(state.st_mode) or state.st_size > BESIDE_BYTES:
                return None
            with open_shared(path) as file:
                return file.read(BESIDE_BYTES)
        except (OSError, ValueError):
            return None


class Reader(Protocol):
    """Reads one format. Other packages name theirs by entry points, group `edge_agent.readers`: an instance, or a class to call.

    `recognises` and `lacks` run in the agent's own process, on bytes of any origin: they do little, import nothing that runs foreign
    code, and allocate nothing of a size that a file names. `read` runs in a decoder process with limits; what it needs it imports there.

    Attributes:
        name: the format's name, such as "TIFF".
        suffixes: how its files' names end, lower case, with the dot; the longest match wins.
        rule: one sentence: when a file counts as complete.
        by_path: whether `read` opens the file itself, because it may be larger than memory or is still being written.
        library: the distribution that `read` imports, such as "tifffile"; "" where NumPy does.
    """

    @property
    def name(self) -> str:  # noqa: D102 - told above
        ...

    @property
    def suffixes(self) -> tuple[str, ...]:  # noqa: D102 - told above
        ...

    @property
    def rule(self) -> str:  # noqa: D102 - told above
        ...

    @property
    def by_path(self) -> bool:  # noqa: D102 - told above
        ...

    @property
    def library(self) -> str:  # noqa: D102 - told above
        ...

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether a file with these first HEAD_BYTES is of the format; `name` may only help where the format has no signature."""
        ...

    def lacks(self, file: BinaryIO, size: int) -> bool:
        """Whether the file lacks bytes that its own header promises; may raise TooMuchError, or struct.error for a header cut short."""
        ...

    def read(self, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Page]:
        """Its images, one at a time, in their order; refuses what `limits` forbid before anything of that size is allocated.

        Args:
            source: the file.
            limits: what it may cost.
            time_zone: of times in the file that carry none; UTC when None.

        Raises FrameRejectedError for what it can name; whatever else it raises counts as `decoder_failed`, or as `truncated` where
        `lacks` says so.
        """
        ...


@dataclass(frozen=True, slots=True)
class Stack:
    """A file's images, which can be read one by one, in any order.

    Attributes:
        count: how many the file holds now.
        page: reads the image at a place, from 0. What it raises concerns that image alone: it goes to quarantine by its place.
        growing: whether the file's writer still has it open: its last images may not all be there yet.
    """

    count: int
    page: Callable[[int], Page]
    growing: bool = False


@runtime_checkable
class StackReader(Reader, Protocol):
    """A Reader of files with more images than memory holds: they are read, judged and committed some at a time (DecodeLimits.portion_*).

    A reader becomes one by having `stack`, and usually `by_path`; then `read = all_pages` will do. Without it a file is read whole, within
    `DecodeLimits.frames` and `decoded_bytes`, and one page that cannot be decoded costs the file.
    """

    def stack(self, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> AbstractContextManager[Stack]:
        """Open the file's images; a generator under `contextlib.contextmanager` will do. Raises what `read` would for the whole file."""
        ...


@runtime_checkable
class FollowedReader(StackReader, Protocol):
    """A StackReader of files whose images can be read while the file's writer goes on adding some."""

    def is_followed(self, file: BinaryIO) -> bool:
        """Whether a writer has the file open and others may read it meanwhile; as `lacks`, in the agent's own process."""
        ...


def all_pages(reader: StackReader, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Page]:
    """`read` for a StackReader: in its class, `read = all_pages`."""
    with reader.stack(source, limits, time_zone) as stack:
        for place in range(stack.count):
            yield stack.page(place)


def needs(name: str, form: str, library: str) -> NoReturn:
    """Refuse a file whose reader's library is not installed."""
    remedy = "run pip install '.[formats]' in the checkout"
    refuse(name, "unsupported", f"is {form}, which {library} reads, and that is not installed", remedy)
