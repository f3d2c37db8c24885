"""A JSON Lines log of structured-mode CloudEvents: the sink of an agent without a broker, with the same guarantee."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import TYPE_CHECKING

from edge_agent.core.errors import JournalError, SinkUnavailableError
from edge_agent.publish.cloudevent import structured

if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import FileIO
    from pathlib import Path

    from edge_agent.core.event import OutboxRow

TAIL_BYTES = 1 << 20
"""More than any line has: enough of a file's end to find its last whole line."""


class JsonLinesSink:
    """Appends to `directory/YYYY-MM-DD.jsonl`, one file a day (UTC) of the events' own time.

    A line is one event; `sequence` and `journalid` in it say how far a journal has been written, so that a crash between
    writing and marking repeats nothing. What a crash left of a line is cut off.

    Args:
        directory: where the files lie.
        retention_s: files of days longer ago than this are deleted when a new day begins; None keeps all.
    """

    def __init__(self, directory: Path, retention_s: float | None = None) -> None:
        self._directory = directory
        self._retention_s = retention_s
        self._thread = ThreadPoolExecutor(1, "json-lines")
        self._file: FileIO | None = None
        self._day = ""
        self._journal_id = ""

    @property
    def name(self) -> str:
        """The value of the metric label `sink`."""
        return "jsonl"

    async def recover(self, journal_id: str, last_seq: int) -> int:
        """Cut off a torn line and return the last written seq of this journal.

        Raises SinkUnavailableError when the folder cannot be used; JournalError when the log is ahead of the journal.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._recover, journal_id, last_seq)

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        """Append `rows` and fsync; after SinkUnavailableError nothing of them is there."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._publish, rows)

    async def check(self) -> None:
        """A folder that cannot be written shows at the next event; the journal, on the same disk, is looked after by itself."""

    async def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(RuntimeError):  # closed before
            await asyncio.get_running_loop().run_in_executor(self._thread, self._let_go)
        self._thread.shutdown(wait=False)

    def _recover(self, journal_id: str, last_seq: int) -> int:
        self._journal_id = journal_id
        self._let_go()
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            written = 0
            for path in sorted(self._directory.glob("????-??-??.jsonl"), reverse=True):
                last = mend(path)
                if last is not None:
                    self._day = path.stem
                    written = int(last["sequence"]) if last.get("journalid") == journal_id else 0
                    break
        except OSError as error:
            raise self._unavailable(error) from error
        if written > last_seq:
            raise JournalError(
                str(self._directory),
                f"holds event {written} of journal {journal_id}, which itself has only {last_seq} (was an old copy restored?)",
                "put the newer journal back, or move the state directory's journal.sqlite3* away to begin a new journal",
            )
        return written

    def _publish(self, rows: Sequence[OutboxRow]) -> None:
        lines = b"".join(structured(row, self._journal_id) + b"\n" for row in rows)
        try:
            file = self._open(rows[0].event.time[:10])
            size = file.seek(0, os.SEEK_END)
            try:
                left = memoryview(lines)
                while left:
                    left = left[file.write(left) :]
                os.fsync(file.fileno())
            except OSError:
                with contextlib.suppress(OSError):  # recovery cuts what cannot be cut now
                    os.ftruncate(file.fileno(), size)
                raise
        except OSError as error:
            raise self._unavailable(error) from error

    def _open(self, day: str) -> FileIO:
        day = max(day, self._day)  # a clock that is set back must not write before the last line
        if self._file is None or day != self._day:
            self._let_go()
            path = self._directory / f"{day}.jsonl"
            is_new = not path.exists()
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
            self._file = os.fdopen(descriptor, "ab", buffering=0)  # a buffer would try again, on closing, what failed for want of room
            self._day = day
            if is_new:
                self._forget_before(day)
                _sync_directory(self._directory)
        return self._file

    def _forget_before(self, day: str) -> None:
        if self._retention_s is None:
            return
        oldest = date.fromisoformat(day) - timedelta(seconds=self._retention_s)
        for path in self._directory.glob("????-??-??.jsonl"):
            if path.stem < oldest.isoformat():
                path.unlink(missing_ok=True)

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _unavailable(self, error: OSError) -> SinkUnavailableError:
        self._let_go()
        reason = error.strerror or str(error)
        return SinkUnavailableError(str(self._directory), f"events cannot be written ({reason})", "free space or mend the folder's rights")


def mend(path: Path) -> dict[str, str] | None:
    """Cut off whatever follows the last whole line of the file at `path` and return that line's event, or None without one."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        while size:
            start = max(0, size - TAIL_BYTES)
            file.seek(start)
            tail = file.read(size - start)
            end = tail.rfind(b"\n") + 1
            line_start = tail.rfind(b"\n", 0, max(0, end - 1)) + 1
            last = _event(tail[line_start:end])
            keep = start + (end if last is not None else line_start)
            if keep < file.seek(0, os.SEEK_END):
                file.truncate(keep)
                os.fsync(file.fileno())
            if last is not None:
                return last
            size = keep
    return None


def _event(line: bytes) -> dict[str, str] | None:
    try:
        found = json.loads(line)
        int(found["sequence"])
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def _sync_directory(directory: Path) -> None:
    """Make a new file's name durable; Windows does so by itself."""
    if os.name == "posix":
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
