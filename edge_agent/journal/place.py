"""Where a journal may live: on a local disk, for SQLite's locks and shared memory do not hold over a network; and for its owner only."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import structlog

from edge_agent.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

log = structlog.get_logger(__name__)

OURS = frozenset({"alerts", "events", "evidence", "lock", "log", "orders", "running.json"})
"""What an agent keeps in its state directory, beside the journal's files."""
JOURNAL_FILES = "journal.sqlite3"
OTHERS = stat.S_IRWXG | stat.S_IRWXO
NETWORK_FILE_SYSTEMS = frozenset({
    "nfs", "nfs3", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afs", "afpfs", "ncpfs", "webdav", "davfs", "davfs2", "sshfs",
    "glusterfs", "ceph", "lustre", "gpfs", "beegfs",
})  # fmt: skip
"""As psutil names them, without the prefix `fuse.`."""


def network_file_system(path: Path) -> str | None:
    """The kind of network file system that holds the absolute `path`, or None when it is local."""
    if sys.platform == "win32" and path.drive.startswith("\\\\"):
        return "a network share"
    mounts = [(Path(part.mountpoint), part) for part in psutil.disk_partitions(all=True)]
    holding = [(mount, part) for mount, part in mounts if path == mount or mount in path.parents]
    if not holding:
        return None
    # The deepest mount point holds the path; of two on one folder the later hides the earlier.
    _, part = max(enumerate(holding), key=lambda item: (len(item[1][0].parts), item[0]))[1]
    kind = part.fstype.lower().removeprefix("fuse.")
    return kind if kind in NETWORK_FILE_SYSTEMS or "remote" in part.opts.split(",") else None


def prepare(state_dir: Path) -> Path:
    """Create `state_dir` for its owner only and return it absolute; raises ConfigurationError where no journal may live."""
    place = state_dir.expanduser().absolute()
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = place.resolve()
    except OSError as error:
        raise ConfigurationError(
            str(place), f"cannot be made a state directory ({error.strerror})", "set [agent] state_dir to a folder this user may write"
        ) from error
    kind = network_file_system(place)
    if kind is not None:
        raise ConfigurationError(
            str(place), f"lies on a network file system ({kind}), where a journal is not safe", "set [agent] state_dir to a local disk"
        )
    close_to_others(place)
    return place


def close_to_others(place: Path) -> None:
    """Take from other accounts what they may do with the state directory and with what an agent keeps in it.

    Windows is left as it is: there the rights of the profile, which the folder inherits, keep others out.
    A folder that holds anything else, such as /tmp by mistake, keeps its own rights, and the log says so.
    """
    if sys.platform == "win32":
        return
    entries = list(place.iterdir())
    ours = [entry for entry in entries if entry.name in OURS or entry.name.startswith(JOURNAL_FILES)]
    state = place.stat()
    if state.st_mode & OTHERS:
        if len(ours) == len(entries) and state.st_uid == os.geteuid() and not state.st_mode & stat.S_ISVTX and _close(place):
            log.warning("the state directory was open to others and is now its owner's only", state_dir=str(place))
        else:
            log.warning(
                "other accounts may look into the state directory", state_dir=str(place), remedy="give the agent a folder of its own"
            )
    for path in (path for entry in ours for path in _within(entry)):
        _close(path)


def _within(entry: Path) -> Iterator[Path]:
    yield entry
    if entry.is_dir() and not entry.is_symlink():
        yield from (path for path in entry.rglob("*"))


def _close(path: Path) -> bool:
    """Whether others are kept out of `path` now; a link is not followed."""
    with contextlib.suppress(OSError):  # another account's, or gone meanwhile
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and mode & OTHERS:
            path.chmod(stat.S_IMODE(mode) & ~OTHERS)
        return True
    return False
