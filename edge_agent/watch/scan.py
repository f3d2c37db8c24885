"""The reconcile scan: the truth about a folder, compared with what is known, one directory at a time."""

from __future__ import annotations

import heapq
import os
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import structlog

from edge_agent.watch.listing import NOTHING, list_directory
from edge_agent.watch.patterns import natural_key

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from edge_agent.core.protocols import KnownFiles, KnownNames
    from edge_agent.watch.listing import Directory, FoundFile
    from edge_agent.watch.patterns import PathFilter

KnownOf: TypeAlias = "Callable[[str], KnownNames]"
log = structlog.get_logger(__name__)

PORTION = 10_000
"""The most files that one scan hands over, earliest first; the next scans find the rest."""
IDLE_SHARE = 200
"""A scan is followed by at least this many times its processor time without one: 0.5 % of a core."""
BUSY_SHARE = 20
"""The same where files come and only scans find them."""
GRAIN_NS = 3_000_000_000
"""A folder's time is believed when it is older than this at the listing: FAT counts in 2 s."""


def _earliest(files: list[FoundFile]) -> list[FoundFile]:
    return heapq.nsmallest(PORTION, files, key=lambda file: (file.mtime_ns, natural_key(file.path)))


def _nothing(_: str) -> KnownNames:
    return NOTHING


@dataclass(slots=True)
class _Seen:
    mtime_ns: int
    folders: list[str]


@dataclass(slots=True)
class FolderScan:
    """Lists a tree; blocking, for one thread at a time.

    A quick scan passes over folders whose own time has not moved since they were listed: nothing was added, removed or renamed in
    them; in the others it looks only at names that are not known. A file rewritten in place leaves its folder's time alone, so a
    full scan, which looks at every file, follows as often as its cost allows.

    Attributes:
        root: the folder.
        stream: the stream's name.
        paths: which files belong.
        known: what the journal knows.
        left: whether the last scan found more than it handed over.
        refused: folders that could not be listed when the last scan met them.
    """

    root: str
    stream: str
    paths: PathFilter
    known: KnownFiles
    left: bool = False
    refused: tuple[str, ...] = ()
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _refused: set[str] = field(default_factory=set)
    _full_cost_s: float = 0.0
    _full_at_s: float = float("-inf")
    _cost_s: float = 0.0
    _listed: int = 0

    def pause_s(self, *, only_scans: bool) -> float:
        """How long the last quick scan's cost forbids the next; `only_scans` when no events tell of new files."""
        return self._cost_s * (BUSY_SHARE if only_scans and self._listed else IDLE_SHARE)

    def find_new(self, *, full: bool = False) -> list[FoundFile]:
        """Files whose state the journal does not know, PORTION of them at most; raises OSError when the root cannot be listed."""
        cpu_s = time.thread_time()
        full = full or self.left or time.monotonic() >= self._full_at_s + self._full_cost_s * IDLE_SHARE
        found: list[FoundFile] = []
        self._listed = 0
        self.left = left = False
        for directory in self.directories(full=full, known_of=partial(self.known.in_directory, self.stream)):
            found += directory.files
            self._listed += 1
            if len(found) > 2 * PORTION:
                found, left = _earliest(found), True
        if len(found) > PORTION:
            found, left = _earliest(found), True
        self.left, self.refused = left, tuple(sorted(self._refused))
        cost_s = time.thread_time() - cpu_s
        if full:
            self._full_cost_s, self._full_at_s, self._cost_s = cost_s, time.monotonic(), 0.0
        else:
            self._cost_s = cost_s
        return found

    def directories(self, *, full: bool, known_of: KnownOf = _nothing) -> Iterator[Directory]:
        """Each folder from the root down, a large one in portions; raises OSError when the root cannot be listed."""
        refused_before = self._refused
        if full:  # every folder that is still there is seen now: those that went are forgotten
            self._seen, self._refused = {}, set()
        waiting = [""]
        while waiting:
            path = waiting.pop()
            try:
                folders = yield from self._visit(path, known_of, full=full)
            except OSError as error:
                self._seen.pop(path, None)
                if not path:
                    raise
                if isinstance(error, FileNotFoundError):
                    continue
                if path not in refused_before:
                    log.warning("a folder cannot be listed", stream=self.stream, path=path, reason=error.strerror)
                self._refused.add(path)
                continue
            self._refused.discard(path)
            waiting += [f"{path}/{name}" if path else name for name in folders]

    def _visit(self, path: str, known_of: KnownOf, *, full: bool) -> Generator[Directory, None, list[str]]:
        mtime_ns = os.stat(os.path.join(self.root, path)).st_mtime_ns  # noqa: PTH116, PTH118 - see list_directory
        seen = self._seen.get(path)
        if seen is not None and not full and seen.mtime_ns == mtime_ns:
            return seen.folders
        listed_ns = time.time_ns()
        folders: list[str] = []
        self._seen.pop(path, None)
        for portion in list_directory(self.root, path, self.paths, known_of(path), only_unknown=not full):
            folders += portion.folders
            yield portion
        if listed_ns - mtime_ns > GRAIN_NS:
            self._seen[path] = _Seen(mtime_ns, folders)
        return folders
