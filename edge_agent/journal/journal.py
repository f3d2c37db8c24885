"""The journal as the agent sees it: asynchronous, with one writing thread and one transaction a call."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from edge_agent.core.errors import JournalError
from edge_agent.journal import absence, files, frames, known, operation, outbox, retention
from edge_agent.journal.failures import explained, transaction
from edge_agent.journal.lock import StateLock
from edge_agent.journal.place import prepare
from edge_agent.journal.schema import check, give_space_back, migrate, use_write_ahead_log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge_agent.core.event import Event, OutboxRow
    from edge_agent.core.frame import Admission, FileIdentity, SettledFile
    from edge_agent.core.protocols import Clock, KnownNames
    from edge_agent.journal.commit import Commit
    from edge_agent.journal.operation import Execution

T = TypeVar("T")

FILE_NAME = "journal.sqlite3"


def connect_read_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, for any one thread at a time."""
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=10.0, check_same_thread=False)


class Journal:
    """Owns `state_dir/journal.sqlite3`; every method is one transaction, durable when it returns unless it says otherwise.

    Raises JournalFullError when there is no room (nothing was written, the same call may be tried again) and JournalError when
    waiting will not help.
    """

    def __init__(self, path: Path, lock: StateLock, connection: sqlite3.Connection, thread: ThreadPoolExecutor, clock: Clock) -> None:
        self._path = path
        self._lock = lock
        self._connection = connection
        self._thread = thread
        self._clock = clock
        self._readers = threading.local()
        self._all_readers: list[sqlite3.Connection] = []
        self._readers_lock = threading.Lock()
        (self._journal_id,) = connection.execute("SELECT id FROM journal").fetchone()

    @classmethod
    async def open(cls, state_dir: Path, *, clock: Clock) -> Journal:
        """Lock `state_dir`, open or create its journal and bring its schema up to date.

        Raises StateLockedError when another agent holds it, ConfigurationError for a place where no journal may live.
        """
        thread = ThreadPoolExecutor(1, "journal")
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, cls._open, state_dir, thread, clock)
        except BaseException:
            thread.shutdown(wait=False)
            raise

    @classmethod
    def _open(cls, state_dir: Path, thread: ThreadPoolExecutor, clock: Clock) -> Journal:
        place = prepare(state_dir)
        lock = StateLock(place)
        path = place / FILE_NAME
        try:
            with explained(path):
                with contextlib.suppress(OSError):  # SQLite says better why it cannot be opened
                    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # its other files get the rights of this one
                connection = sqlite3.connect(path, isolation_level=None, timeout=10.0, check_same_thread=False)
                try:
                    check(connection, path)
                    give_space_back(connection, path)
                    use_write_ahead_log(connection, path)
                    migrate(connection, path, clock.now_ns())
                    return cls(path, lock, connection, thread, clock)
                except BaseException:
                    connection.close()
                    raise
        except BaseException:
            lock.close()
            raise

    async def close(self) -> None:
        """Finish what is under way and let another agent in; a second call does nothing."""
        with contextlib.suppress(RuntimeError):  # the thread has been shut down by an earlier call
            await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    def _close(self) -> None:
        with self._readers_lock:
            for reader in self._all_readers:
                reader.close()
            self._all_readers.clear()
        self._connection.close()
        self._lock.close()

    @property
    def journal_id(self) -> str:
        """A UUID given when the file was created: a published cursor of another journal is never applied."""
        return str(self._journal_id)

    # What a watcher asks, from any thread

    def in_directory(self, stream: str, directory: str) -> KnownNames:
        """Map each known file's name in `directory` ("" is the root) to (size, mtime_ns)."""
        return self._ask(lambda connection: known.in_directory(connection, stream, directory))

    def begun(self, stream: str) -> bool:
        """Whether an earlier run has taken stock of this stream's folder."""
        return self._ask(lambda connection: files.begun(connection, stream))

    # What those who are told of alerts only ask, from any thread

    def alerts_after(self, after: int, limit: int) -> tuple[list[OutboxRow], int]:
        """The oldest alerts with seq > `after`, whoever acknowledged them, and the seq up to which there is no other."""
        return self._ask(lambda connection: outbox.alerts_after(connection, after, limit))

    def _ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        with explained(self._path):
            reader: sqlite3.Connection | None = getattr(self._readers, "connection", None)
            if reader is None:
                reader = connect_read_only(self._path)
                self._readers.connection = reader
                with self._readers_lock:
                    self._all_readers.append(reader)
            return question(reader)

    # What the pipeline does

    async def admit(self, settled: Sequence[SettledFile]) -> list[Admission]:
        """Give each file the next sequence number, in this order; one that is known with the same identity is left out.

        It survives the process at once and a power cut from the next commit on, so no result ever lacks its admission: a file
        whose admission is lost is found again by the next scan.
        """
        return await self._relaxed(lambda connection: files.admit(connection, settled))

    async def adopt(self, stream: str, identities: Sequence[FileIdentity]) -> None:
        """Know files that were there before the stream began, without admitting them."""
        await self._write(lambda connection: files.adopt(connection, stream, identities))

    async def begin(self, stream: str) -> None:
        """Note that stock was taken: from now on every unknown file is new."""
        await self._write(lambda connection: files.begin(connection, stream))

    async def pending(self, after: int, limit: int, stream: str | None = None) -> list[Admission]:
        """Admitted but not finished, with seq > `after`, in sequence order; of `stream`, or of all."""
        return await self._read(lambda connection: files.pending(connection, after, limit, stream))

    async def frame_hashes(self, stream: str, path: str, generation: int) -> dict[int, str]:
        """Map the place of each of one generation's frames that was scored or refused to its content hash."""
        return await self._read(lambda connection: frames.hashes(connection, stream, path, generation))

    async def last_frame(self, stream: str, path: str, generation: int) -> tuple[int, int, str] | None:
        """Generation, place and content hash of the last of those frames, in `generation` or the newest before it; None without any."""
        return await self._read(lambda connection: frames.last(connection, stream, path, generation))

    async def drift_state(self, stream: str) -> str | None:
        """The judge's state as the last commit left it."""

        def state(connection: sqlite3.Connection) -> str | None:
            found = connection.execute("SELECT drift_state FROM stream WHERE name = ?", (stream,)).fetchone()
            return None if found is None else found[0]

        return await self._read(state)

    async def commit(self, commit: Commit) -> int:
        """Make finished files and portions, their frames, drift states and events durable together; returns the last outbox seq."""
        now_ns = self._clock.now_ns()

        def write(connection: sqlite3.Connection) -> int:
            files.finish(connection, commit.files, now_ns)
            frames.keep(connection, commit.files, now_ns)
            connection.executemany(
                "INSERT INTO stream (name, drift_state) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET drift_state = excluded.drift_state",
                commit.drift_states.items(),
            )
            outbox.append(connection, commit.events, now_ns)
            return outbox.last_seq(connection)

        return await self._write(write)

    async def append(self, events: Sequence[Event]) -> int:
        """Queue events that belong to no file, such as the agent's life signs; returns the last outbox seq."""
        now_ns = self._clock.now_ns()

        def write(connection: sqlite3.Connection) -> int:
            outbox.append(connection, events, now_ns)
            return outbox.last_seq(connection)

        return await self._write(write)

    # What operators order

    async def execute(self, execution: Execution) -> None:
        """Make all that an order changes durable together; an order is carried out once."""
        now_ns = self._clock.now_ns()
        await self._write(lambda connection: operation.execute(connection, execution, now_ns))

    async def look(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Ask one of `operation`'s questions, beside the writing thread: some look through many frames."""
        return await asyncio.to_thread(self._ask, question)

    # What a publisher needs: core.Outbox

    async def unsent(self, limit: int) -> list[OutboxRow]:
        """The oldest unsent rows, in order."""
        return await self._read(lambda connection: outbox.unsent(connection, limit))

    async def mark_published(self, up_to: int) -> None:
        """Note that every row with seq <= `up_to` was acknowledged.

        It survives the process at once and a power cut from the next commit on: until then the sink's own cursor tells the same.
        """
        await self._relaxed(lambda connection: outbox.mark_published(connection, up_to))

    async def last_seq(self) -> int:
        """The largest seq ever given, 0 for none."""
        return await self._read(outbox.last_seq)

    async def outbox_backlog(self) -> tuple[int, int | None]:
        """How many events are unsent, and since when the oldest waits, nanoseconds since the epoch."""
        return await self._read(outbox.backlog)

    # Housekeeping

    async def try_to_write(self) -> None:
        """Write what is there already; raises JournalFullError where there is no room even for that."""
        await self._write(lambda connection: connection.execute("UPDATE journal SET published_up_to = published_up_to"))

    async def prune(self, before_ns: int) -> int:
        """Forget results and acknowledged events older than `before_ns`, a few at a time; returns how many rows went.

        Unsent events, pending admissions, open episodes and the identities of files stay. The file shrinks to little more than what
        is left in it.
        """
        gone = 0
        for statement in retention.STATEMENTS:
            step = partial(retention.prune_step, statement=statement, before_ns=before_ns)
            while went := await self._write(step):
                gone += went
        while await self._read(retention.vacuum_step):
            pass
        return gone

    async def known_after(self, stream: str, after: absence.Key, limit: int) -> list[tuple[absence.Key, str]]:
        """The next known files of the stream behind the key `after`, each with its path."""
        return await self._read(lambda connection: absence.known_after(connection, stream, after, limit))

    async def note_absent(self, gone: Sequence[absence.Key], there: Sequence[absence.Key]) -> None:
        """Note which known files were missed just now, and which were seen."""
        now_ns = self._clock.now_ns()
        await self._write(lambda connection: absence.note(connection, gone, there, now_ns))

    async def forget_absent(self, stream: str, before_ns: int) -> None:
        """Forget the stream's files that have been missed since before `before_ns`, a few at a time; see absence.py."""
        now_ns = self._clock.now_ns()
        while await self._write(lambda connection: absence.forget(connection, stream, now_ns, before_ns, retention.STEP)):
            pass

    async def _read(self, action: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._explained, action)
        except RuntimeError as error:
            if "after shutdown" in str(error):
                raise JournalError(str(self._path), "is closed", "open it again") from error
            raise

    async def _write(self, action: Callable[[sqlite3.Connection], T]) -> T:
        def write(connection: sqlite3.Connection) -> T:
            with transaction(connection):
                return action(connection)

        return await self._read(write)

    async def _relaxed(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """Write without waiting for the disk; the next `_write` makes it durable too, for the log is flushed in order."""

        def write(connection: sqlite3.Connection) -> T:
            connection.execute("PRAGMA synchronous = NORMAL")
            try:
                with transaction(connection):
                    return action(connection)
            finally:
                connection.execute("PRAGMA synchronous = FULL")

        return await self._read(write)

    def _explained(self, action: Callable[[sqlite3.Connection], T]) -> T:
        with explained(self._path):
            return action(self._connection)
