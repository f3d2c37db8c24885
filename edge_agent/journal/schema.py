"""The journal's tables, and the steps from each release's to the next."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

from edge_agent.core.errors import JournalError
from edge_agent.journal.failures import transaction

if TYPE_CHECKING:
    from pathlib import Path

APPLICATION_ID = 0x45444745
"""`EDGE`: marks the file as an edge-agent journal, so that a strange database is not taken for one."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE journal (id TEXT NOT NULL, published_up_to INTEGER NOT NULL)",
        "CREATE TABLE migration (version INTEGER PRIMARY KEY, applied_at_ns INTEGER NOT NULL)",
        "CREATE TABLE stream (name TEXT PRIMARY KEY, begun INTEGER NOT NULL DEFAULT 0, drift_state TEXT) WITHOUT ROWID",
        "CREATE TABLE directory (id INTEGER PRIMARY KEY, stream TEXT NOT NULL, path NOT NULL, UNIQUE (stream, path))",
        # The newest state of each known file: what a scan compares with.
        """CREATE TABLE file (
            directory INTEGER NOT NULL, name NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, generation INTEGER NOT NULL,
            PRIMARY KEY (directory, name)) WITHOUT ROWID""",
        """CREATE TABLE admission (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, path NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
            generation INTEGER NOT NULL, settled_at_ns INTEGER NOT NULL, settle_outcome TEXT NOT NULL, settle_detail TEXT NOT NULL,
            outcome TEXT, finished_at_ns INTEGER, cause TEXT, detail TEXT)""",
        "CREATE INDEX pending_admission ON admission (seq) WHERE outcome IS NULL",
        # data is the scored event's flat JSON object: SQL reads any field of it with data ->> 'entropy'.
        """CREATE TABLE frame (
            stream TEXT NOT NULL, path NOT NULL, generation INTEGER NOT NULL, frame_index INTEGER NOT NULL, seq INTEGER NOT NULL,
            content_hash TEXT NOT NULL, recorded_at_ns INTEGER NOT NULL, event_id TEXT NOT NULL, data TEXT NOT NULL,
            field_entropy TEXT NOT NULL, PRIMARY KEY (stream, path, generation, frame_index))""",
        """CREATE TABLE outbox (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, queued_at_ns INTEGER NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL,
            source TEXT NOT NULL, subject TEXT, time TEXT NOT NULL, topic TEXT NOT NULL, key TEXT NOT NULL, data BLOB NOT NULL)""",
        # The newest event of each episode, which outlives the outbox's retention while the episode is open.
        """CREATE TABLE episode (
            episode TEXT PRIMARY KEY, stream TEXT, is_open INTEGER NOT NULL, told_at_ns INTEGER NOT NULL,
            data BLOB NOT NULL) WITHOUT ROWID""",
        "CREATE INDEX open_episode ON episode (told_at_ns) WHERE is_open",
    ),
    (
        """CREATE TABLE word (
            id TEXT PRIMARY KEY, stream TEXT NOT NULL, verb TEXT NOT NULL, who NOT NULL, why NOT NULL, asked_at_ns INTEGER NOT NULL,
            done_at_ns INTEGER NOT NULL, applied INTEGER NOT NULL, answer NOT NULL, episode TEXT, old_baseline TEXT, new_baseline TEXT,
            samples INTEGER) WITHOUT ROWID""",
        """CREATE TABLE baseline (
            stream TEXT NOT NULL, id TEXT NOT NULL, data TEXT NOT NULL, made_at_ns INTEGER NOT NULL, who NOT NULL, why NOT NULL,
            samples INTEGER NOT NULL, PRIMARY KEY (stream, id)) WITHOUT ROWID""",
        """CREATE TABLE standing (
            stream TEXT PRIMARY KEY, baseline TEXT, since_seq INTEGER NOT NULL, provisional INTEGER NOT NULL, hold TEXT) WITHOUT ROWID""",
        # a re-base reads a stream's frames since the change, not the retention time's
        "CREATE INDEX frame_in_order ON frame (stream, seq)",
    ),
    (
        # Known files that are not in their folder any more, and since when: see absence.py.
        """CREATE TABLE absent (
            directory INTEGER NOT NULL, name NOT NULL, since_ns INTEGER NOT NULL, PRIMARY KEY (directory, name)) WITHOUT ROWID""",
    ),
    (
        # Frames that could not be used while others of their file could; content_hash is '' where nothing could be read.
        """CREATE TABLE refused_frame (
            stream TEXT NOT NULL, path NOT NULL, generation INTEGER NOT NULL, frame_index INTEGER NOT NULL, seq INTEGER NOT NULL,
            content_hash TEXT NOT NULL, recorded_at_ns INTEGER NOT NULL, cause TEXT NOT NULL, detail TEXT NOT NULL,
            PRIMARY KEY (stream, path, generation, frame_index))""",
    ),
)
"""Step n leads from schema version n to n + 1. A released step is never edited."""
VERSION = len(MIGRATIONS)


INCREMENTAL = 2
"""SQLite's name for a file whose free pages are given back when asked."""
REWRITTEN_BYTES = 512 << 20
"""The largest journal that a start writes anew: a few seconds."""


def version_of(connection: sqlite3.Connection) -> int:
    """The file's schema version, 0 for a new file."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def check(connection: sqlite3.Connection, journal: Path) -> int:
    """The schema version of a journal this release can read; raises JournalError for any other file."""
    version = version_of(connection)
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != APPLICATION_ID and (tables or application):
        raise JournalError(str(journal), "is a database, but not an edge-agent journal", "set [agent] state_dir to another folder")
    if version > VERSION:
        raise JournalError(
            str(journal),
            f"was written by a newer edge-agent (schema {version}, this one knows {VERSION})",
            "install that release again, or give this one its own [agent] state_dir",
        )
    return version


def give_space_back(connection: sqlite3.Connection, journal: Path) -> None:
    """Let the file shrink when rows go (see retention.py), which SQLite has to know before the first table.

    A journal of an older release is written anew for that, unless it is so large that the start would take too long, there is no
    room for a second one, or someone is reading it: it then only never shrinks, and the next start tries again.
    """
    (mode,) = connection.execute("PRAGMA auto_vacuum").fetchone()
    if mode == INCREMENTAL:
        return
    connection.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
    size = journal.stat().st_size
    if 0 < size <= REWRITTEN_BYTES:
        with suppress(sqlite3.OperationalError):
            connection.execute("VACUUM")


def use_write_ahead_log(connection: sqlite3.Connection, journal: Path) -> None:
    """Make a returned COMMIT mean that the disk has it; raises JournalError where the file system lacks shared memory."""
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise JournalError(str(journal), f"its file system allows no write-ahead log (but {mode})", "set [agent] state_dir to a local disk")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA journal_size_limit = 67108864")


def migrate(connection: sqlite3.Connection, journal: Path, now_ns: int) -> None:
    """Bring the file to this release's schema, each step in its own transaction; raises JournalError for a newer one."""
    for version in range(check(connection, journal), VERSION):
        with transaction(connection):
            for statement in MIGRATIONS[version]:
                connection.execute(statement)
            if version == 0:
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute("INSERT INTO journal VALUES (?, 0)", (str(uuid.uuid4()),))
            connection.execute("INSERT INTO migration VALUES (?, ?)", (version + 1, now_ns))
            connection.execute(f"PRAGMA user_version = {version + 1}")
