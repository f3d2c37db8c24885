"""Whether the operating system tells of one file in a folder."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from watchdog.events import FileSystemEventHandler
from watchdog.observers import Observer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from threading import Event

    from watchdog.events import FileSystemEvent


class _Ear(FileSystemEventHandler):
    def __init__(self, name: str, heard: Event) -> None:
        self._name = name
        self._heard = heard

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Listen for the one name."""
        if os.path.basename(os.fsdecode(event.src_path)) == self._name:  # noqa: PTH119 - watchdog gives str paths
            self._heard.set()


@contextmanager
def tells_of(folder: Path, name: str, heard: Event) -> Iterator[None]:
    """Set `heard` when the operating system tells of the file `name` in `folder` itself; raises OSError where it has no watch left."""
    observer = Observer()
    observer.start()
    try:
        observer.schedule(_Ear(name, heard), str(folder), recursive=False)
        yield
    finally:
        observer.stop()
        observer.join(5)
