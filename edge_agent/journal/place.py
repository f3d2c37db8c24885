"""Where a journal may live: on a local disk, for SQLite's locks and shared memory do not hold over a network."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

from edge_agent.core.errors import ConfigurationError

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
    return place
