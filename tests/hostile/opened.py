"""Notices when a file that nobody may open is opened."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from watchdog.events import FileOpenedEvent, FileSystemEventHandler
from watchdog.observers import Observer

from tests.hostile.hdf5 import CANARY, canaries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from watchdog.events import FileSystemEvent

PATIENCE_S = 10.0
LAST = f"{CANARY} that tells the end"


class _Listener(FileSystemEventHandler):
    def __init__(self) -> None:
        self.opened: list[str] = []
        self.ended = threading.Event()

    def on_any_event(self, event: FileSystemEvent) -> None:
        name = Path(str(event.src_path)).name
        if name == LAST:
            self.ended.set()
        elif name.startswith(CANARY):
            self.opened.append(name)


@contextlib.contextmanager
def opened_below(folder: Path) -> Iterator[list[str]]:
    """Puts the canaries into `folder`; within, gathers the names of those that were opened, all of them once it is left."""
    for name, content in canaries().items():
        (folder / name).write_bytes(content)
    listener = _Listener()
    observer = Observer()
    observer.schedule(listener, str(folder), event_filter=[FileOpenedEvent])
    observer.start()
    try:
        yield listener.opened
        (folder / LAST).touch()
        listener.ended.wait(PATIENCE_S)
    finally:
        observer.stop()
        observer.join()
