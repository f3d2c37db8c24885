"""Small files that settings come from: a device or a pipe in their place would fill the memory, or never end."""

from __future__ import annotations

import errno
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class NotOrdinaryError(OSError):
    """What stands there is a device, a pipe or a socket."""


def read_ordinary(path: Path, longest_bytes: int) -> bytes:
    """The file's first `longest_bytes` + 1 bytes, the last of which tells that it is longer; raises OSError."""
    mode = path.stat().st_mode  # first: opening a pipe waits for whoever writes into it
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # of a folder the system says so itself
        raise NotOrdinaryError(errno.EINVAL, "it is no ordinary file")
    with path.open("rb") as file:
        return file.read(longest_bytes + 1)
