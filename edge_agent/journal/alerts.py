"""The outbox as those see it who are told of alerts only: its alerts, and a cursor of their own that holds up no other sink."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Self

import structlog

from edge_agent.core.errors import JournalFullError
from edge_agent.core.own_thread import OwnThread
from edge_agent.core.whole_file import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.core.event import OutboxRow
    from edge_agent.journal.journal import Journal

log = structlog.get_logger(__name__)

FAR = 10_000
"""Other events behind the cursor on disk after which it is moved, so that a start need not look through them all again."""


class AlertOutbox:
    """An Outbox of the journal's alerts from now on; made by `open`.

    The cursor lies in `<folder>/<name>.json`. A crash between an acknowledgement and the cursor repeats that alert; an alert is
    forgotten with the journal's retention, whether it was taken or not.
    """

    def __init__(self, journal: Journal, path: Path) -> None:
        self._journal = journal
        self._path = path
        self._thread = OwnThread(f"alerts-{path.stem}")
        self._taken = 0
        self._written = 0
        self._seen = 0

    @classmethod
    async def open(cls, journal: Journal, folder: Path, name: str) -> Self:
        """Go on where the cursor stands; without one, or with another journal's, begin behind the newest event.

        Raises JournalFullError when the cursor cannot be written.
        """
        made = cls(journal, folder / f"{name}.json")
        newest = await journal.last_seq()
        made._taken = made._written = made._seen = await made._thread.call(partial(made._begin, newest))
        return made

    @staticmethod
    def forget(folder: Path, name: str) -> None:
        """Drop the cursor of someone who is told no more: whoever is configured again later hears nothing old."""
        (folder / f"{name}.json").unlink(missing_ok=True)

    @property
    def journal_id(self) -> str:
        """Identifies the journal."""
        return self._journal.journal_id

    async def unsent(self, limit: int) -> list[OutboxRow]:
        """The oldest alerts that were not acknowledged, in order; raises JournalFullError while the cursor cannot be written."""
        await self._keep(self._taken)  # what could not be written when it was acknowledged is not told again for that
        rows, seen = await self._thread.call(lambda: self._journal.alerts_after(self._seen, limit))
        if not rows:
            self._seen = seen
            if seen - self._written > FAR:
                await self._keep(seen)
        return rows

    async def mark_published(self, up_to: int) -> None:
        """Every alert with seq <= `up_to` has been acknowledged; raises JournalFullError when that cannot be written."""
        self._taken = max(self._taken, up_to)
        self._seen = max(self._seen, up_to)
        await self._keep(self._taken)

    async def _keep(self, seq: int) -> None:
        if seq > self._written:
            await self._thread.call(partial(self._write, seq))
            self._written = seq

    async def last_seq(self) -> int:
        """The largest seq ever given."""
        return await self._journal.last_seq()

    def close(self) -> None:
        """Let the thread end."""
        self._thread.end()

    def _begin(self, newest: int) -> int:
        try:
            found = json.loads(self._path.read_bytes())
            journal_id, seq = str(found["journal_id"]), int(found["seq"])
        except FileNotFoundError:
            journal_id, seq = "", 0
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("the cursor of alerts cannot be read; those from now on are told", path=str(self._path), reason=str(error))
            journal_id, seq = "", 0
        if journal_id == self._journal.journal_id and 0 <= seq <= newest:
            return seq
        if journal_id == self._journal.journal_id:
            log.warning("the cursor of alerts is ahead of the journal (was an old copy restored?); those from now on are told", seq=seq)
        self._write(newest)
        return newest

    def _write(self, seq: int) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self._path, json.dumps({"journal_id": self._journal.journal_id, "seq": seq}).encode())
        except OSError as error:
            raise JournalFullError(
                str(self._path), f"cannot be written ({error.strerror or error})", "free space or mend the folder's rights"
            ) from error
