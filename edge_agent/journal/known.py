"""What is known of a directory's files, small enough to be held while the directory is listed."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.journal.text import restored, stored

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from edge_agent.core.protocols import KnownNames

HELD = 100_000
"""The most names of one directory that are held themselves, 30 MB of them."""


def in_directory(connection: sqlite3.Connection, stream: str, directory: str) -> KnownNames:
    """Map each known name in `directory` to (size, mtime_ns); the names of a directory of more than HELD are not held."""
    found = connection.execute("SELECT id FROM directory WHERE stream = ? AND path = ?", (stream, stored(directory))).fetchone()
    if found is None:
        return {}
    (count,) = connection.execute("SELECT count(*) FROM (SELECT 1 FROM file WHERE directory = ? LIMIT ?)", (*found, HELD + 1)).fetchone()
    rows = _rows(connection, *found)
    return ManyNames(rows) if count > HELD else {name: (size, mtime_ns) for name, size, mtime_ns in rows}


def _rows(connection: sqlite3.Connection, number: int) -> Iterator[tuple[str, int, int]]:
    rows = connection.execute("SELECT name, size, mtime_ns FROM file WHERE directory = ?", (number,))
    return ((restored(name), size, mtime_ns) for name, size, mtime_ns in rows)


class ManyNames:
    """A million names in 24 MB: sorted 64-bit hashes, and the states beside them.

    Should two names share a hash, the state that is given for an unknown one is another file's, and hardly ever its own: a look at all
    files then takes it for changed and admits it, which goes by names.
    """

    def __init__(self, rows: Iterator[tuple[str, int, int]]) -> None:
        hashes, sizes, mtimes_ns = array("q"), array("q"), array("q")
        for name, size, mtime_ns in rows:
            hashes.append(hash(name))
            sizes.append(size)
            mtimes_ns.append(mtime_ns)
        order = np.argsort(np.asarray(hashes))
        self._hashes, self._sizes, self._mtimes_ns = (array("q", np.asarray(held)[order].tobytes()) for held in (hashes, sizes, mtimes_ns))

    def get(self, name: str) -> tuple[int, int] | None:
        """(size, mtime_ns) of a known name."""
        wanted = hash(name)
        place = bisect_left(self._hashes, wanted)
        if place == len(self._hashes) or self._hashes[place] != wanted:
            return None
        return self._sizes[place], self._mtimes_ns[place]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __len__(self) -> int:
        return len(self._hashes)
