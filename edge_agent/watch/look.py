"""One look at a file on disk: is it as it was, can it be opened, is it complete?"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypeAlias

from edge_agent.watch.listing import FoundFile
from edge_agent.watch.patterns import may_be_companion

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.watch.patterns import PathFilter

Completeness: TypeAlias = Literal["complete", "following", "growing", "unknown"]
"""What a format says of a file: all there, being added to but readable, not yet all there, or nothing."""


class Sight(StrEnum):
    """What a look found."""

    SETTLED = "settled"
    FOLLOWED = "followed"
    CHANGED = "changed"
    LACKING = "lacking"
    CLOSED = "closed"
    GONE = "gone"


class Looker:
    """Looks at files of one folder; blocking, safe from any thread.

    Args:
        root: the stream's folder.
        paths: which files belong.
        is_complete: what the file's format says; may raise OSError when it cannot be opened.
    """

    def __init__(self, root: Path, paths: PathFilter, is_complete: Callable[[Path], Completeness]) -> None:
        self._root = root
        self._paths = paths
        self._is_complete = is_complete

    def state(self, path: str) -> FoundFile | None:
        """The file's present state; None when it is gone or none of the stream's."""
        companion_of = ""
        if not self._paths.takes(path):
            if not may_be_companion(path):
                return None
            companion_of = self._paths.image_of(path, lambda image: (self._root / image).is_file()) or ""
            if not companion_of:
                return None
        try:
            state = (self._root / path).stat()
        except (OSError, ValueError):
            return None
        return FoundFile.of(path, state, companion_of)

    def look(self, before: FoundFile) -> tuple[Sight, FoundFile]:
        """Compare the file with how it was."""
        now = self.state(before.path)
        if now is None:
            return Sight.GONE, before
        said: Completeness | Literal["closed"] = "complete"
        if not now.companion_of:
            try:
                said = self._is_complete(self._root / before.path)
            except FileNotFoundError:
                return Sight.GONE, now
            except OSError:
                said = "closed"
        if said == "following":
            return Sight.FOLLOWED, now
        if (now.size, now.mtime_ns) != (before.size, before.mtime_ns):
            return Sight.CHANGED, now
        return {"growing": Sight.LACKING, "closed": Sight.CLOSED}.get(said, Sight.SETTLED), now

    def look_all(self, files: list[FoundFile]) -> list[tuple[Sight, FoundFile]]:
        """Look at each, in order."""
        return [self.look(file) for file in files]

    def root_identity(self, before: tuple[int, int] | None = None) -> tuple[int, int] | None:
        """Which folder stands at the root's path; None when none does that may be listed, or an empty one in place of a drive.

        Device and inode; those that stood there `before` tell a mount point without its drive from a folder that was made anew.
        """
        try:
            state = self._root.stat()
            with os.scandir(self._root) as entries:
                drive_left = before is not None and state.st_dev != before[0] and next(entries, None) is None
        except OSError:
            return None
        return None if drive_left else (state.st_dev, state.st_ino)
