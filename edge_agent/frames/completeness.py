"""Whether a file holds all that its own header promises: a look at a few bytes, never a decoding."""

from __future__ import annotations

import errno
import io
import stat
import struct
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeAlias

from edge_agent.frames.glance import Glance
from edge_agent.frames.reader import HEAD_BYTES, FollowedReader, TooMuchError
from edge_agent.frames.registry import reader_of
from edge_agent.frames.share import open_shared

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.frames.reader import Reader

Completeness: TypeAlias = Literal["complete", "following", "growing", "unknown"]

SHORTEST_BYTES = 8
"""No format that is read is shorter."""
LOOK_BYTES = 32 << 20
"""What a look may read of one file: a million strips of a TIFF with room to spare."""


def completeness(path: Path) -> Completeness:
    """Whether the file is all there: "growing" when it lacks bytes that its header promises; raises OSError when it cannot be opened.

    It is "following" while its writer adds images and lets others read those that are there, if what reads them is installed. It is
    "unknown" of what is no frame file, such as a FIFO, and of one whose header is too long for a look or makes no sense: its decoder
    will tell.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        return "unknown"  # and not opened: a FIFO waits for its writer
    with io.BufferedReader(Glance(open_shared(str(path)), LOOK_BYTES)) as file:
        return _of(file, path.name)


def _of(file: BinaryIO, name: str) -> Completeness:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if len(head) < SHORTEST_BYTES:
        return "growing"
    reader = reader_of(head, name)
    if reader is None:
        return "growing" if not any(head) else "unknown"  # a copy may reserve its space first
    try:
        if _lacks(reader, file, size):
            return "growing"
        followed = isinstance(reader, FollowedReader) and _asked(partial(reader.is_followed, file))
    except (TooMuchError, struct.error):
        return "unknown"
    if not followed:
        return "complete"
    return "following" if _is_installed(reader.library) else "growing"  # each of its states would be refused


@cache
def _is_installed(library: str) -> bool:
    try:
        return not library or bool(version(library))
    except PackageNotFoundError:
        return False


def ends_early(reader: Reader, file: BinaryIO, size: int) -> bool:
    """Whether a file that did not decode ends before its header says."""
    try:
        return _lacks(reader, file, size)
    except TooMuchError:
        return False


def _lacks(reader: Reader, file: BinaryIO, size: int) -> bool:
    """Whether it does, as its reader says; raises TooMuchError also where the reader cannot tell, and OSError of a file that went."""
    file.seek(0)
    try:
        return _asked(partial(reader.lacks, file, size))
    except struct.error:  # the header itself is cut short
        return True


def _asked(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except (TooMuchError, struct.error):
        raise
    except OSError as error:
        if error.errno == errno.EINVAL:  # a place that no file has
            raise TooMuchError from None
        raise
    except Exception:  # noqa: BLE001 - this is the agent's own process: no reader, ours or another's, may end it over a file
        raise TooMuchError from None
