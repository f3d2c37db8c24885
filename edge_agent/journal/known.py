"""What is known of a directory's files: held where they are few, asked for one by one where they are many."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING

from edge_agent.journal.failures import explained
from edge_agent.journal.text import restored, stored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HELD = 100_000
"""The most known names of one directory that are held at once, 30 MB of them."""


def in_directory(connection: sqlite3.Connection, stream: str, directory: str, journal: Path) -> Mapping[str, tuple[int, int]]:
    """Map each known name in `directory` to (size, mtime_ns).

    That of more than HELD names asks `connection` for each: three times slower than a dict, but of no size. It may be used by
    one thread only, and as long as the connection is open; a failure is explained as one of the file `journal`.
    """
    found = connection.execute("SELECT id FROM directory WHERE stream = ? AND path = ?", (stream, stored(directory))).fetchone()
    if found is None:
        return {}
    rows = connection.execute("SELECT name, size, mtime_ns FROM file WHERE directory = ? LIMIT ?", (*found, HELD + 1))
    known = {restored(name): (size, mtime_ns) for name, size, mtime_ns in rows}
    return known if len(known) <= HELD else ManyNames(connection, found[0], journal)


class ManyNames(Mapping[str, tuple[int, int]]):
    """The known names of one directory, each looked up in the table of files."""

    def __init__(self, connection: sqlite3.Connection, number: int, journal: Path) -> None:
        self._connection = connection
        self._number = number
        self._journal = journal

    def __getitem__(self, name: str) -> tuple[int, int]:
        sql = "SELECT size, mtime_ns FROM file WHERE directory = ? AND name = ?"
        try:
            found: tuple[int, int] | None = self._connection.execute(sql, (self._number, stored(name))).fetchone()
        except sqlite3.Error:  # `with` costs as much as the question, a million times
            with explained(self._journal):
                raise
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        with explained(self._journal):
            for (name,) in self._connection.execute("SELECT name FROM file WHERE directory = ?", (self._number,)):
                yield restored(name)

    def __len__(self) -> int:
        with explained(self._journal):
            (names,) = self._connection.execute("SELECT count(*) FROM file WHERE directory = ?", (self._number,)).fetchone()
        return int(names)
