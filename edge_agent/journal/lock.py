"""One agent a state directory: an operating-system lock that dies with its process."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

import psutil

from edge_agent.core.errors import ConfigurationError, StateLockedError

if TYPE_CHECKING:
    from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    LOCKED_BYTE = 1 << 30
    """Far behind the process id, which others must be able to read."""

    def _take(descriptor: int) -> None:
        os.lseek(descriptor, LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)  # who finds it taken reads the number there

    _touch = _take
else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _touch(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)


TRIES, PAUSE_S = 4, 0.05
"""A lock that is taken is tried again: `running` may just have touched it."""


def holder(state_dir: Path) -> int | None:
    """The living process that last took the lock in `state_dir`, or None.

    Asking takes no lock, so that it stands in no starting agent's way; the number may by now be another program's, never a dead one's.
    """
    try:
        process = int((state_dir.expanduser() / "lock").read_bytes()[:32])
    except (OSError, ValueError):
        return None
    return process if psutil.pid_exists(process) else None


def running(state_dir: Path) -> int | None:
    """The process that holds the lock in `state_dir` at this moment, or None.

    It touches the lock, so that a number which is by now another program's, as after a restart of the machine, deceives nobody.
    """
    process = holder(state_dir)
    if process is None:
        return None
    try:
        descriptor = os.open(state_dir.expanduser() / "lock", os.O_RDONLY)
    except OSError:  # not ours to look at: the number has to do
        return process
    try:
        _touch(descriptor)
    except OSError:
        return process
    finally:
        os.close(descriptor)
    return None


class StateLock:
    """Holds `state_dir/lock` until closed; Python's descriptors are not inherited by spawned processes."""

    def __init__(self, state_dir: Path) -> None:
        path = state_dir / "lock"
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigurationError(
                str(state_dir),
                f"{path.name} cannot be opened for writing ({error.strerror or error})",
                "give this user the right to write in that folder, or set [agent] state_dir to one that it may write",
            ) from error
        try:
            self._take()
        except OSError as error:
            holder = os.read(self._descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise StateLockedError(
                str(state_dir),
                f"another agent (process {holder}) holds {path}",
                "stop that agent, or give this one its own [agent] state_dir",
            ) from error
        os.ftruncate(self._descriptor, 0)
        # A full disk must not keep the agent from starting: the lock holds without the number too.
        with contextlib.suppress(OSError):
            os.write(self._descriptor, str(os.getpid()).encode("ascii"))

    def _take(self) -> None:
        for last in (*[False] * (TRIES - 1), True):
            try:
                _take(self._descriptor)
            except OSError:
                if last:
                    raise
                time.sleep(PAUSE_S)
            else:
                return

    def close(self) -> None:
        """Let another agent in."""
        os.close(self._descriptor)
