"""What the operating system allows one process: open files, and watches of folders."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.agent.examination.finding import fine, mend, note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.agent.examination.finding import Finding
    from edge_agent.config import Settings

FEWEST_FILES = 256
INOTIFY = Path("/proc/sys/fs/inotify")
MOST_FOLDERS = 200_000


def limits(settings: Settings) -> Iterator[Finding]:
    """Limits that a large installation meets."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - POSIX only

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FEWEST_FILES:
        yield mend("limits", f"a process may open {soft} files, the agent wants {FEWEST_FILES}; raise it with ulimit -n or LimitNOFILE=")
    else:
        yield fine("limits", f"a process may open {'any number of' if soft == resource.RLIM_INFINITY else soft} files")
    if INOTIFY.is_dir():
        yield from _watches(settings)


def _watches(settings: Settings) -> Iterator[Finding]:
    """Whether each folder can have its watch."""
    allowed = int((INOTIFY / "max_user_watches").read_text())
    folders = 0
    for stream in settings.stream:
        if stream.observer != "polling":
            folders += sum(1 for _ in itertools.islice(os.walk(stream.path), MOST_FOLDERS))
    said = f"{folders} folders to be watched, {allowed} watches are allowed a user (fs.inotify.max_user_watches)"
    if folders > allowed:
        yield mend("limits", f'{said}; raise it with sysctl, or set observer = "polling"')
    elif 2 * folders > allowed:
        yield note("limits", f"{said}: more than half")
    else:
        yield fine("limits", said)
