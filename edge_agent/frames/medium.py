"""Whether a read failed for what a file lies on - a share that went, a disk that does not answer - and not for what stands in it."""

from __future__ import annotations

import errno
import re

from edge_agent.frames.refusal import refuse

GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ESTALE})
NAMES = (
    "EIO", "EACCES", "EPERM", "ENXIO", "ENODEV", "ENOTCONN", "ETIMEDOUT", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH",
    "ENETRESET", "ECONNRESET", "ECONNABORTED", "ECONNREFUSED", "EREMOTEIO", "ENOMEDIUM", "ENOLINK", "EBADF",
)  # fmt: skip
OUT_OF_REACH = frozenset(code for name in NAMES if (code := getattr(errno, name, None)) is not None)
"""EINVAL is none of them: it is what a header earns that sends its reader to a place that no file has."""
SAID = re.compile(r"\berrno = (\d{1,5})\b")
"""HDF5 tells the number in its message only."""
MESSAGE_LENGTH = 2000


def blame_medium(name: str, error: Exception) -> None:
    """Refuse the file as vanished or unreadable, which is tried again once its folder is back, if `error` is its medium's."""
    code = error.errno if isinstance(error, OSError) and error.errno is not None else _said(error)
    if code in GONE:
        refuse(name, "vanished", "is gone")
    if code is not None and code in OUT_OF_REACH:
        refuse(name, "unreadable", f"cannot be read ({errno.errorcode.get(code, code)})")


def _said(error: Exception) -> int | None:
    found = SAID.search(str(error)[:MESSAGE_LENGTH])
    return int(found[1]) if found else None
