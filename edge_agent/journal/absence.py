"""Known files that are gone: noted when first missed, forgotten when they have been missed for the retention time.

A file's identity is what keeps it from being told twice, so one look at an empty folder must not cost it: a share may be away, a
folder be renamed and come back. Only whoever has been missed without a break for as long as results are kept is forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from edge_agent.journal.text import restored, stored

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

Key: TypeAlias = tuple[int, str | bytes]
"""A file's row: its directory's number and its name as it is stored."""
FIRST: Key = (0, "")
"""Before every file."""
RESULT = """
    SELECT 1 WHERE EXISTS (SELECT 1 FROM frame WHERE stream = ?1 AND path = ?2)
    OR EXISTS (SELECT 1 FROM refused_frame WHERE stream = ?1 AND path = ?2)"""
"""Whether anything is kept of a path."""


def known_after(connection: sqlite3.Connection, stream: str, after: Key, limit: int) -> list[tuple[Key, str]]:
    """The next known files of the stream behind `after`, by their keys, each with its path."""
    rows = connection.execute(
        "SELECT directory.id, file.name, directory.path FROM file JOIN directory ON directory.id = file.directory"
        " WHERE directory.stream = ? AND (file.directory, file.name) > (?, ?) ORDER BY file.directory, file.name LIMIT ?",
        (stream, *after, limit),
    )
    return [((number, name), _joined(path, name)) for number, name, path in rows]


def note(connection: sqlite3.Connection, gone: Sequence[Key], there: Sequence[Key], now_ns: int) -> None:
    """Note which files were missed just now and which were seen."""
    connection.executemany("INSERT OR IGNORE INTO absent VALUES (?, ?, ?)", ((*key, now_ns) for key in gone))
    connection.executemany("DELETE FROM absent WHERE directory = ? AND name = ?", there)


def forget(connection: sqlite3.Connection, stream: str, now_ns: int, before_ns: int, limit: int) -> int:
    """Forget at most `limit` files of the stream that have been missed since before `before_ns`; returns how many were looked at.

    One with results is kept for as long again; and all are while an admission of that age is pending, which may be their own.
    """
    old = "SELECT 1 FROM admission WHERE outcome IS NULL AND stream = ? AND settled_at_ns < ? LIMIT 1"
    if connection.execute(old, (stream, before_ns)).fetchone() is not None:
        return 0
    rows = connection.execute(
        "SELECT directory.id, absent.name, directory.path FROM absent JOIN directory ON directory.id = absent.directory"
        " WHERE directory.stream = ? AND since_ns < ? LIMIT ?",
        (stream, before_ns, limit),
    ).fetchall()
    for number, name, path in rows:
        key = (number, name)
        if connection.execute(RESULT, (stream, stored(_joined(path, name)))).fetchone() is not None:
            connection.execute("UPDATE absent SET since_ns = ? WHERE directory = ? AND name = ?", (now_ns, *key))
            continue
        connection.execute("DELETE FROM absent WHERE directory = ? AND name = ?", key)
        connection.execute("DELETE FROM file WHERE directory = ? AND name = ?", key)
    connection.executemany(
        "DELETE FROM directory WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM file WHERE directory = ?1)",
        {(number,) for number, _, _ in rows},
    )
    return len(rows)


def _joined(path: str | bytes, name: str | bytes) -> str:
    return "/".join(filter(None, (restored(path), restored(name))))
