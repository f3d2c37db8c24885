"""The state directory's disk: room, place, and who may look into it."""

from __future__ import annotations

import stat
import sys
from typing import TYPE_CHECKING

import psutil

from edge_agent.agent.examination.access import is_folder, secret_files
from edge_agent.agent.examination.finding import fine, mend, note
from edge_agent.journal import JournalView, network_file_system

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.agent.examination.finding import Finding
    from edge_agent.config import Settings

SCARCE_BYTES = 1 << 30
NONE_LEFT_BYTES = 100 << 20
GB = 1e9
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def disk(settings: Settings, configuration: Path) -> Iterator[Finding]:
    """Room for the journal, where it lies, and whether others may read what is secret."""
    place = settings.agent.place
    existing = next(folder for folder in (place, *place.parents) if is_folder(folder))
    if kind := network_file_system(existing.resolve()):
        yield mend("state directory", f"{place} lies on a network file system ({kind}); set [agent] state_dir to a local disk")
    yield _room("state directory", existing, needed=True)
    for stream in settings.stream:
        if is_folder(stream.path):
            yield _room(f"stream {stream.name}: disk", stream.path, needed=False)
    if is_folder(place):
        yield from _closed(place)
        view = JournalView.open(place)
        if view is not None:
            status = view.status()
            yield fine("journal", f"{_megabytes(place)} MB in {place}; {status.unsent_events} events wait for their sink")
    yield from _secrets(settings, configuration)


def _room(part: str, folder: Path, *, needed: bool) -> Finding:
    """Free bytes on the disk that holds `folder`."""
    free = psutil.disk_usage(str(folder)).free
    said = f"{free / GB:.1f} GB are free on the disk of {folder}"
    if free < NONE_LEFT_BYTES or (needed and free < SCARCE_BYTES):
        return mend(part, f"{said}; make room, {'the journal needs it' if needed else 'the instrument needs it'}")
    return fine(part, said)


def _megabytes(place: Path) -> str:
    return f"{sum(path.stat().st_size for path in place.glob('journal.sqlite3*')) / 1e6:.1f}"


def _closed(place: Path) -> Iterator[Finding]:
    """Whether the state directory is its owner's only."""
    if sys.platform == "win32":
        return
    mode = stat.S_IMODE(place.stat().st_mode)
    if mode & OTHERS:
        yield mend("state directory", f"{place} has mode {mode:04o}: other accounts may look into it; chmod 700 {place}")
    else:
        yield fine("state directory", f"{place} is its owner's only (mode {mode:04o})")


def _secrets(settings: Settings, configuration: Path) -> Iterator[Finding]:
    """Whether others may read files that hold secrets."""
    if sys.platform == "win32":
        yield note("secrets", "who may read the files that hold secrets is not tried on Windows; look at their properties")
        return
    holding = [path for setting, path in secret_files(settings) if not setting.endswith(("certificate_file", "ca_file"))]
    if _written_in(settings):
        holding.append(configuration)
    for path in holding:
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:  # told where it is read
            continue
        if mode & stat.S_IRWXO:
            yield mend("secrets", f"{path} holds a secret, and everybody may read it (mode {mode:04o}); chmod 600 {path}")


def _written_in(settings: Settings) -> bool:
    """Whether the configuration itself holds a secret."""
    return bool(settings.secrets)
