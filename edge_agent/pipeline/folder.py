"""Whether a stream's folder is away as a whole."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Folder:
    """A stream's folder, known by what stood at its path when it last held something; blocking.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity = self._look()[0]

    def is_away(self) -> bool:
        """Whether it is gone, or an empty folder stands in its place: a mount point without its drive."""
        identity, is_empty = self._look()
        if not is_empty:
            self._identity = identity
        return is_empty and (identity is None or identity != self._identity)

    def _look(self) -> tuple[tuple[int, int] | None, bool]:
        """Device and inode (None when nothing can be listed there), and whether it is empty."""
        try:
            state = self._path.stat()
            with os.scandir(self._path) as entries:
                return (state.st_dev, state.st_ino), next(entries, None) is None
        except OSError:
            return None, True
