"""The operating system's file events, as hints that wake the watcher."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from typing import TYPE_CHECKING, Any

import structlog
from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

    from watchdog.events import FileSystemEvent

log = structlog.get_logger(__name__)

MOST_HINTS = 50_000
"""More hints than this at once are dropped for one scan."""
EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileClosedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]


class Hints:
    """Paths that events named, gathered from the observer's threads.

    Args:
        wake: called from any thread when there is something to collect.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._files: dict[str, bool] = {}
        self._scan = False

    def file(self, path: str, *, written: bool) -> None:
        """A file was created, written or moved here; `written` when its content may have changed now."""
        with self._lock:
            if len(self._files) >= MOST_HINTS:
                self._scan = True
            else:
                self._files[path] = written or self._files.get(path, False)
        self._wake()

    def scan(self) -> None:
        """Events were lost, or a folder came or went: only a scan can tell what is there."""
        with self._lock:
            self._scan = True
        self._wake()

    def collect(self) -> tuple[dict[str, bool], bool]:
        """The paths named since the last call, each with whether it was written, and whether a scan is needed."""
        with self._lock:
            files, self._files = self._files, {}
            scan, self._scan = self._scan, False
        return files, scan


class NativeObserver(FileSystemEventHandler):
    """Watches a tree by the operating system's events; `start` raises OSError when the system has no watches left.

    Args:
        root: the folder.
        hints: where paths go.
    """

    def __init__(self, root: Path, hints: Hints) -> None:
        self._root = os.path.abspath(root)  # noqa: PTH100 - watchdog gives str paths built on this one
        self._hints = hints
        self._observer: Any = None
        self._failed = False
        self._overflow = _OverflowListener(hints)

    def start(self) -> None:
        """Begin; blocking, since every folder below gets its watch."""
        _hush_folders_seen_twice()
        self._observer = Observer()  # not before: it takes an inotify instance, which the system may refuse
        self._contain_failures()
        self._observer.start()
        try:
            self._observer.schedule(self, self._root, recursive=True, event_filter=EVENTS)
        except OSError:
            self.stop()
            raise
        logging.getLogger("watchdog.observers.inotify_c").addHandler(self._overflow)

    def stop(self) -> None:
        """End; blocking for a moment."""
        logging.getLogger("watchdog.observers.inotify_c").removeHandler(self._overflow)
        self._mend_books()
        self._observer.stop()
        self._observer.join(5)

    def is_alive(self) -> bool:
        """Whether every thread that carries events still runs."""
        reader = getattr(self._observer, "_inotify_fd", None)
        emitters = self._observer.emitters
        return bool(
            not self._failed
            and self._observer.is_alive()
            and emitters
            and all(emitter.is_alive() for emitter in emitters)
            and (reader is None or not hasattr(reader, "is_alive") or reader.is_alive())
        )

    def _contain_failures(self) -> None:
        """Count the observer as dead when watchdog's reader fails, so that another is started and a scan makes up for what it missed.

        It fails with a KeyError where folders are moved about and replaced faster than it reads. Left alone the failure would end the
        thread as well, but with a traceback on standard error.
        """
        reader = getattr(self._observer, "_inotify_fd", None)
        handle = getattr(reader, "handle_event", None)
        if reader is None or handle is None:  # another system's observer, or an older watchdog's
            return

        def contained(event: Any) -> None:
            if self._failed:
                return
            try:
                handle(event)
            except Exception as error:  # noqa: BLE001 - whatever it is, this observer has lost track
                log.warning("file events have lost track of the folders", path=self._root, error=repr(error))
                self._hints.scan()
                self._failed = True

        reader.handle_event = contained

    def _mend_books(self) -> None:
        """Make watchdog's two tables of watched folders agree: where they do not, its stop would raise and leave threads behind."""
        for emitter in self._observer.emitters:
            group: Any = getattr(emitter, "_inotify", None)
            if hasattr(group, "_active_callbacks_by_path"):
                with group._lock:  # noqa: SLF001 - there is no public way
                    paths = {path: watch for watch, path in group._active_callbacks_by_watch.items()}  # noqa: SLF001 - as above
                    group._active_callbacks_by_path = paths  # noqa: SLF001 - as above

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Pass on what may be a new or changed file."""
        if event.is_directory:
            self._hints.scan()
            return
        arrived = event.dest_path if isinstance(event, FileMovedEvent) else event.src_path
        path = path_below(os.fsdecode(arrived), self._root) if arrived else None
        if path is not None:
            self._hints.file(path, written=not isinstance(event, FileClosedEvent))


def path_below(path: str, root: str, system: ModuleType = os.path) -> str | None:
    r"""`path` relative to `root` with `/` between parts; None when it lies elsewhere. `system` is posixpath or ntpath.

    >>> import ntpath
    >>> path_below("D:\\Images\\S01\\a.tif", "d:\\images", ntpath), path_below("E:\\a.tif", "d:\\images", ntpath)
    ('S01/a.tif', None)
    """
    try:
        below: str = system.relpath(path, root)
    except ValueError:  # on another drive
        return None
    below = below.replace(system.sep, "/")
    return None if below in {".", ".."} or below.startswith("../") else below


def _hush_folders_seen_twice() -> None:
    """Let watchdog meet a folder it watches already, without a warning on standard error for each.

    It does when a folder is made, or moved out and in again, while its own thread adds watches below; it then replaces the callback by
    itself, so that nothing is lost. Where warnings are errors, this one would end that thread.
    """
    warnings.filterwarnings(
        "ignore", r"Callback with id '\d+' already exists for watch", RuntimeWarning, module=r"watchdog\.observers\.inotify(_c)?$"
    )


class _OverflowListener(logging.Handler):
    """watchdog tells of a kernel queue that overflowed only in its log."""

    def __init__(self, hints: Hints) -> None:
        super().__init__(logging.WARNING)
        self._hints = hints

    def emit(self, record: logging.LogRecord) -> None:
        if "overflow" in record.getMessage():
            self._hints.scan()
