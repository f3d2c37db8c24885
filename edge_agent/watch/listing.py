"""Folders as they are: which files of the stream lie where, with size and time."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from edge_agent.core.frame import FileIdentity
from edge_agent.watch.patterns import PathFilter, is_hidden, may_be_companion, natural_key

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator
    from pathlib import Path

    from edge_agent.core.protocols import KnownNames

NOTHING: KnownNames = MappingProxyType({})
PORTION = 100_000
"""The most files of a folder that are held at once, 40 MB of them: there may be a million."""
EARLIEST_NS, LATEST_NS = -(1 << 63), (1 << 63) - 1
"""SQLite's integers: the years 1677 to 2262; file systems hold more, and instruments' clocks are set to anything."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One state of one file.

    Attributes:
        path: relative to the stream's folder, with `/` between parts.
        size: bytes.
        mtime_ns: modification time, nanoseconds since the epoch.
        companion_of: the frame file whose side-car this is, or "".
    """

    path: str
    size: int
    mtime_ns: int
    companion_of: str = ""

    @classmethod
    def of(cls, path: str, state: os.stat_result, companion_of: str = "") -> FoundFile | None:
        """A file as the operating system tells of it; None of a folder.

        A FIFO, a device or a socket is an empty file of 1970, whatever is done to it: it is admitted once, for its reader to refuse.
        A time that no journal and no calendar can hold becomes the nearest that both can. The one place where this is done, so that
        a file's identity is the same whoever looked.
        """
        if stat.S_ISDIR(state.st_mode):
            return None
        if not stat.S_ISREG(state.st_mode):
            return cls(path, 0, 0, companion_of)
        return cls(path, state.st_size, min(max(state.st_mtime_ns, EARLIEST_NS), LATEST_NS), companion_of)

    def identity(self, stream: str) -> FileIdentity:
        """This state of this file, as a stream's journal knows it."""
        return FileIdentity(stream, self.path, self.size, self.mtime_ns)


@dataclass(frozen=True, slots=True)
class Directory:
    """What one folder holds, or a portion of it.

    Attributes:
        path: relative to the stream's folder, "" for itself.
        files: the stream's files in it that are not as they are known, in no order: PORTION at most, and in the last portion all side-cars.
        folders: names of the folders in it; links are not followed, so there are no loops.
    """

    path: str
    files: list[FoundFile]
    folders: list[str]


def list_directory(
    root: str, path: str, paths: PathFilter, known: KnownNames = NOTHING, *, only_unknown: bool = False
) -> Iterator[Directory]:
    """List one folder: what is not as it is `known`, (size, mtime_ns) by name, or only names that are not; raises OSError.

    An empty folder is one portion too.
    """
    files: list[FoundFile] = []
    folders: list[str] = []
    names: set[str] = set()
    companions: list[os.DirEntry[str]] = []
    prefix = f"{path}/" if path else ""
    with os.scandir(os.path.join(root, path)) as entries:  # noqa: PTH118 - str paths throughout: a Path a file would cost seconds
        for entry in entries:
            name = entry.name
            seen = known.get(name)
            if only_unknown and seen is not None:
                continue
            if entry.is_dir(follow_symlinks=False):
                if not is_hidden(name):
                    folders.append(name)
            elif paths.takes(prefix + name):
                if seen is None:
                    names.add(name)
                _append(files, entry, prefix + name, "", seen)
            elif may_be_companion(name):
                companions.append(entry)
            if len(files) == PORTION:
                yield Directory(path, files, folders)
                files, folders = [], []
    files += _side_cars(companions, prefix, paths, names, known)
    yield Directory(path, files, folders)


def _side_cars(
    entries: Iterable[os.DirEntry[str]], prefix: str, paths: PathFilter, names: Container[str], known: KnownNames
) -> list[FoundFile]:
    """Those of one folder whose frame files are in it, found now or known."""
    files: list[FoundFile] = []
    start = len(prefix)
    for entry in entries:
        image = paths.image_of(prefix + entry.name, lambda image: image[start:] in names or image[start:] in known)
        if image is not None:
            _append(files, entry, prefix + entry.name, image, known.get(entry.name))
    return files


def _append(files: list[FoundFile], entry: os.DirEntry[str], path: str, companion_of: str, known: tuple[int, int] | None = None) -> None:
    try:
        state = entry.stat()
    except OSError:  # gone since it was listed, or a link to nowhere
        return
    file = FoundFile.of(path, state, companion_of)
    if file is not None and known != (file.size, file.mtime_ns):
        files.append(file)


def list_files(root: Path, include: Iterable[str], exclude: Iterable[str], stream: str = "") -> Iterator[FileIdentity]:
    """Every file of the stream, side-cars included, folder by folder; folders that cannot be read are passed over."""
    paths = PathFilter(include, exclude)
    waiting = [""]
    while waiting:
        path = waiting.pop()
        with contextlib.suppress(OSError):
            for portion in list_directory(str(root), path, paths):
                yield from (file.identity(stream) for file in portion.files)
                waiting += [f"{path}/{name}" if path else name for name in portion.folders]


def frame_files(root: Path, include: Iterable[str], exclude: Iterable[str], stream: str = "") -> list[tuple[int, FileIdentity]]:
    """The stream's frame files in the order in which a backlog is judged, with the sequence numbers that a fresh journal gives them.

    Side-cars are numbered, but not returned. An incomplete file, which an agent would give up in the end, keeps its place here.
    """
    paths = PathFilter(include, exclude)
    found = sorted(list_files(root, include, exclude, stream), key=lambda file: (file.mtime_ns, natural_key(file.path), file.path))
    return [(number, file) for number, file in enumerate(found, 1) if paths.takes(file.path)]
