"""Known files and admissions: the statements behind the journal's first half."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.core.frame import Admission, FileIdentity, SettleOutcome
from edge_agent.journal.text import restored, stored

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from edge_agent.core.frame import SettledFile
    from edge_agent.journal.commit import FinishedFile


def begun(connection: sqlite3.Connection, stream: str) -> bool:
    """Whether stock of the stream was taken."""
    return connection.execute("SELECT 1 FROM stream WHERE name = ? AND begun", (stream,)).fetchone() is not None


def begin(connection: sqlite3.Connection, stream: str) -> None:
    """Note that stock of the stream was taken."""
    connection.execute("INSERT INTO stream (name, begun) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET begun = 1", (stream,))


class Directories:
    """The directories' row numbers, looked up or given once a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._ids: dict[tuple[str, str], int] = {}

    def number(self, stream: str, path: str) -> int:
        """The row number of a directory, which is added when it is new."""
        known = self._ids.get((stream, path))
        if known is None:
            key = (stream, stored(path))
            self._connection.execute("INSERT OR IGNORE INTO directory (stream, path) VALUES (?, ?)", key)
            (known,) = self._connection.execute("SELECT id FROM directory WHERE stream = ? AND path = ?", key).fetchone()
            self._ids[stream, path] = int(known)
        return int(known)

    def locate(self, file: FileIdentity) -> tuple[int, str | bytes]:
        """The key of a file's row: its directory's number and its name."""
        directory, _, name = file.path.rpartition("/")
        return self.number(file.stream, directory), stored(name)


def adopt(connection: sqlite3.Connection, stream: str, files: Iterable[FileIdentity]) -> None:
    """Know `files` of `stream` without admitting them."""
    directories = Directories(connection)
    rows = []
    for file in files:
        directory, _, name = file.path.rpartition("/")
        rows.append((directories.number(stream, directory), stored(name), file.size, file.mtime_ns))
    rows.sort(key=_place)  # in the order of the table each of its pages is written once
    connection.executemany(
        "INSERT INTO file VALUES (?, ?, ?, ?, 0) ON CONFLICT DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns", rows
    )


def _place(row: tuple[int, str | bytes, int, int]) -> tuple[int, bool, str | bytes]:
    directory, name, *_ = row
    return directory, isinstance(name, bytes), name


def admit(connection: sqlite3.Connection, files: Sequence[SettledFile]) -> list[Admission]:
    """Give each file of unknown identity the next sequence number."""
    directories = Directories(connection)
    admissions = []
    for settled in files:
        file = settled.file
        key = directories.locate(file)
        known = connection.execute("SELECT size, mtime_ns, generation FROM file WHERE directory = ? AND name = ?", key).fetchone()
        if known is not None and known[:2] == (file.size, file.mtime_ns):
            continue
        generation = 0 if known is None else int(known[2]) + 1
        connection.execute("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?)", (*key, file.size, file.mtime_ns, generation))
        row = (
            file.stream, stored(file.path), file.size, file.mtime_ns, generation,
            settled.settled_at_ns, settled.outcome.value, stored(settled.detail),
        )  # fmt: skip
        seq = connection.execute(
            "INSERT INTO admission (stream, path, size, mtime_ns, generation, settled_at_ns, settle_outcome, settle_detail)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        ).lastrowid
        if seq is None:
            raise AssertionError("an INSERT gave no row number")
        admissions.append(Admission(seq, file, generation, settled.settled_at_ns, settled.outcome, settled.detail))
    return admissions


def pending(connection: sqlite3.Connection, after: int, limit: int, stream: str | None = None) -> list[Admission]:
    """Admissions (of `stream`, or of all) that are not finished, in sequence order."""
    rows = connection.execute(
        "SELECT seq, stream, path, size, mtime_ns, generation, settled_at_ns, settle_outcome, settle_detail FROM admission"
        " WHERE outcome IS NULL AND seq > ?1 AND (?3 IS NULL OR stream = ?3) ORDER BY seq LIMIT ?2",
        (after, limit, stream),
    )
    return [
        Admission(
            seq, FileIdentity(stream, restored(path), size, mtime_ns), generation, settled_at_ns, SettleOutcome(outcome), restored(detail)
        )
        for seq, stream, path, size, mtime_ns, generation, settled_at_ns, outcome, detail in rows
    ]


def finish(connection: sqlite3.Connection, portions: Sequence[FinishedFile], now_ns: int) -> None:
    """Note the files' outcomes and kept generations; raises ValueError when one was finished before."""
    files = [(done, done.outcome) for done in portions if done.outcome is not None]
    noted = connection.executemany(
        "UPDATE admission SET outcome = ?, generation = ?, finished_at_ns = ?, cause = ?, detail = ? WHERE seq = ? AND outcome IS NULL",
        (
            (outcome.value, done.generation, now_ns, done.cause, None if done.detail is None else stored(done.detail), done.admission.seq)
            for done, outcome in files
        ),
    )
    if files and noted.rowcount != len(files):
        raise ValueError(f"{len(files)} files were to be finished, but {noted.rowcount} of them were pending")
    directories = Directories(connection)
    # a file that vanished was not judged: should it come back just as it was, it is new
    connection.executemany(
        "UPDATE file SET size = -1, mtime_ns = -1 WHERE directory = ? AND name = ? AND generation = ?",
        ((*directories.locate(done.admission.file), done.admission.generation) for done, _ in files if done.cause == "vanished"),
    )
    kept = [done for done, _ in files if done.generation != done.admission.generation]
    connection.executemany(
        "UPDATE file SET generation = ? WHERE directory = ? AND name = ? AND generation = ?",
        ((done.generation, *directories.locate(done.admission.file), done.admission.generation) for done in kept),
    )
