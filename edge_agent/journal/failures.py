"""What SQLite's failures mean to the agent."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from edge_agent.core.errors import JournalError, JournalFullError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NO_ROOM = frozenset({
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMMAP,
    sqlite3.SQLITE_IOERR_SHMOPEN,
})  # fmt: skip
"""Waiting may mend these. A failed fsync is not among them: what it covered may be lost, only opening afresh tells."""
DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@contextmanager
def explained(journal: Path) -> Iterator[None]:
    """Turn SQLite's errors into JournalFullError or JournalError with a way out."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0)
        if code in NO_ROOM:
            raise JournalFullError(
                str(journal),
                f"no room to write ({error})",
                f"free space on the disk that holds {journal.parent}; nothing is lost meanwhile",
            ) from error
        if code & 0xFF in DAMAGED:
            raise JournalError(
                str(journal),
                f"is damaged ({error})",
                "restore it from a backup, or move journal.sqlite3* away to begin a new one, which knows no file and no unsent event",
            ) from error
        if code == sqlite3.SQLITE_READONLY or code & 0xFF in {sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}:
            raise JournalError(
                str(journal), f"cannot be opened for writing ({error})", f"give the agent's user the right to write in {journal.parent}"
            ) from error
        raise JournalError(str(journal), f"SQLite failed ({error})", "look at the disk's health, then restart the agent") from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or none: whatever goes wrong, the COMMIT included, leaves nothing behind."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # SQLite rolls back by itself after some failures, such as a full disk
            connection.execute("ROLLBACK")
        raise
