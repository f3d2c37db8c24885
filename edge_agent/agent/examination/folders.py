"""A stream's folder: what lies in it, what it costs to look, and how old it is."""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from edge_agent.agent.compose import check_places
from edge_agent.agent.examination.finding import fine, mend, note
from edge_agent.frames.known import is_promised, missing_library, stranger
from edge_agent.watch import PathFilter, is_hidden

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.agent.examination.finding import Finding
    from edge_agent.config import Settings, StreamSettings

LISTING_S = 8.0
"""Listing is given up after this long; a watcher goes on."""
LOOKED_AT = 25
"""Files, the newest of those listed, whose first bytes are looked at."""
SLOW_S = 1.0
SKEW_S = 2.0
"""FAT counts in two seconds."""


@dataclass(slots=True)
class _Held:
    """What was seen of a folder so far.

    Attributes:
        matching, folders: how many files match, in how many folders.
        newest: time (nanoseconds since the epoch) and path of the LOOKED_AT newest of them, the oldest first.
        others: files that do not match though their names promise frames, by suffix.
        whole: whether all of it was seen in time.
    """

    matching: int = 0
    folders: int = 0
    newest: list[tuple[int, str]] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    whole: bool = True


def listing(settings: Settings, stream: StreamSettings) -> Iterator[Finding]:
    """What the folder holds, by the stream's patterns and by what readers know."""
    part = f"stream {stream.name}: files"
    check_places(settings)
    started = time.monotonic()
    held = _look(stream, started + LISTING_S)
    took_s = time.monotonic() - started
    if held.whole:
        yield fine(part, f"{held.matching} files in {held.folders} folders match, listed in {took_s:.1f} s{_slow(stream, took_s)}")
    else:
        yield note(part, f"more than {held.matching} files match; the folder cannot be listed in {took_s:.0f} s, nor can it be scanned")
    named = ", ".join(f"{number} {suffix}" for suffix, number in held.others.most_common(5))
    if named and not held.matching:
        yield mend(part, f"none matches include = {list(stream.include)}, though {named} files lie there; correct include or exclude")
    elif named:
        yield note(part, f"{named} files that could be read do not match; correct include or exclude if they are frames")
    newest = [path for _, path in held.newest]
    unread = [said for path in newest if (said := stranger(stream.path / path))]
    if unread:
        what = ", ".join(f"{number} x {said}" for said, number in Counter(unread).most_common(3))
        said = f"of the newest {len(newest)} that match no reader can read {len(unread)} ({what}); tighten include, or they are quarantined"
        yield mend(part, said) if len(unread) == len(newest) else note(part, said)
    for library, number in Counter(filter(None, map(missing_library, newest))).most_common():
        said = f"of the newest {len(newest)} that match {number} need {library}, which is not installed"
        yield mend(part, f"{said}; run pip install '.[formats]' in the checkout")
    if held.newest:
        yield _times(stream, held.newest[-1])


def _look(stream: StreamSettings, deadline_s: float) -> _Held:
    """Go through the folder until the deadline."""
    paths, held = PathFilter(stream.include, stream.exclude), _Held()
    for folder, entries in _walk(stream.path):
        held.folders += 1
        for entry in entries:
            if time.monotonic() > deadline_s:
                held.whole = False
                return held
            path = f"{folder}/{entry.name}" if folder else entry.name
            if paths.takes(path):
                try:
                    found = (entry.stat().st_mtime_ns, path)
                except OSError:  # gone since it was listed
                    continue
                held.matching += 1
                if len(held.newest) < LOOKED_AT or found > held.newest[0]:
                    held.newest = sorted([*held.newest, found])[-LOOKED_AT:]
            elif not is_hidden(entry.name) and is_promised(entry.name):
                held.others[PurePosixPath(entry.name).suffix.lower()] += 1
    return held


def _slow(stream: StreamSettings, took_s: float) -> str:
    return f"; scans are made less often than every {stream.scan_interval_s:g} s for that" if took_s > SLOW_S else ""


def _walk(root: Path) -> Iterator[tuple[str, list[os.DirEntry[str]]]]:
    """Each folder's path relative to `root`, and the files in it; folders that cannot be listed are told elsewhere."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(root / folder) as found:
                entries = list(found)
        except OSError:
            continue
        files = []
        for entry in entries:
            with suppress(OSError):  # gone since it was listed, or a link that leads in a circle
                if entry.is_file():
                    files.append(entry)
                elif entry.is_dir(follow_symlinks=False) and not is_hidden(entry.name):
                    waiting.append(f"{folder}/{entry.name}" if folder else entry.name)
        yield folder, files


def _times(stream: StreamSettings, newest: tuple[int, str]) -> Finding:
    """The newest file's time against this machine's clock."""
    part, ahead_s = f"stream {stream.name}: clock", newest[0] / 1e9 - time.time()
    if ahead_s > SKEW_S:
        return mend(
            part,
            f"the newest file, {newest[1]}, is {span(ahead_s)} ahead of this machine's clock; let both follow one time server (NTP)",
        )
    return fine(part, f"the newest file is {span(-ahead_s)} old; times in files that name no zone are read as {stream.time_zone}")


def span(seconds: float) -> str:
    """A time span as people say it.

    >>> span(7200.0), span(3.2)
    ('2.0 h', '3 s')
    """
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
