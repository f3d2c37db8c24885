"""Forgets files that have long been gone, so that the journal does not know every file there ever was."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from edge_agent.core.own_thread import OwnThread
from edge_agent.journal import FIRST

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge_agent.core.protocols import Clock
    from edge_agent.journal import Journal, Key

FILES = 1000
"""Files that are looked for together."""
PAUSE_S = 0.05
"""Between two such looks: nobody waits for this."""


class Forgetting:
    """Looks now and then whether known files are still there; see edge_agent.journal.absence for what follows.

    Args:
        journal: knows the files.
        clock: the time.
        retention_s: how long a file has to be missed.
    """

    def __init__(self, journal: Journal, clock: Clock, retention_s: float) -> None:
        self._journal = journal
        self._clock = clock
        self._retention_s = retention_s
        self._thread = OwnThread("absences")

    async def look(self, stream: str, root: Path) -> None:
        """Look for each of the stream's known files once; stops where the folder goes away, for then nothing is known of them."""
        after: Key = FIRST
        while known := await self._journal.known_after(stream, after, FILES):
            gone = await self._thread.call(lambda: absent(root, [path for _, path in known]))
            if gone is None:
                return
            keys = [key for key, _ in known]
            await self._journal.note_absent(
                [key for key, is_gone in zip(keys, gone, strict=True) if is_gone],
                [key for key, is_gone in zip(keys, gone, strict=True) if not is_gone],
            )
            after = keys[-1]
            await asyncio.sleep(PAUSE_S)
        await self._journal.forget_absent(stream, self._clock.now_ns() - int(self._retention_s * 1e9))

    def close(self) -> None:
        """Let the thread end."""
        self._thread.end()


def absent(root: Path, paths: Sequence[str]) -> list[bool] | None:
    """Which of the files below `root` do not exist; None when the root is away or empty, as a mount point without its drive is.

    A file that cannot be looked at for another reason counts as there; blocking.
    """
    before = _identity(root)
    if before is None:
        return None
    gone = [_is_gone(os.path.join(root, path)) for path in paths]  # noqa: PTH118 - a Path a file would cost more than the look
    return gone if _identity(root) == before else None


def _identity(root: Path) -> tuple[int, int] | None:
    """Device and inode of a folder that holds something."""
    try:
        state = root.stat()
        with os.scandir(root) as entries:
            return (state.st_dev, state.st_ino) if next(entries, None) is not None else None
    except OSError:
        return None


def _is_gone(path: str) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False
