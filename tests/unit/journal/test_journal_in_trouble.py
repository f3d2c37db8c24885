"""The journal keeps what was committed when its process is killed, its disk is full or its file is not what it should be."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from edge_agent.core.clock import SystemClock
from edge_agent.core.errors import JournalError, JournalFullError, StateLockedError
from edge_agent.journal import Commit, Journal, JournalView, Standing, operation
from edge_agent.journal.schema import APPLICATION_ID, MIGRATIONS
from tests.journal_entries import S, event, scored, settled

if TYPE_CHECKING:
    from pathlib import Path

CRASH = """
import asyncio, os, sys
from pathlib import Path
from edge_agent.core.clock import SystemClock
from edge_agent.core.event import Event
from edge_agent.core.frame import FileIdentity, SettledFile, SettleOutcome
from edge_agent.journal import Commit, FinishedFile, Journal, Outcome

async def main():
    journal = await Journal.open(Path(sys.argv[1]), clock=SystemClock())
    number = 0
    while True:
        file = FileIdentity("sem", f"{number}.tif", 1, 1)
        (admission,) = await journal.admit([SettledFile(file, SettleOutcome.COMPLETE, 1)])
        event = Event(str(number), "t", "/", "sem", "2026-01-01T00:00:00Z", "edge.frames", "a/sem", b"{}")
        await journal.commit(Commit((FinishedFile(admission, Outcome.COMPANION, 0),), {"sem": str(number)}, (event,)))
        print(number, flush=True)
        number += 1

asyncio.run(main())
"""


def start_committing(state: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", CRASH, str(state)], stdout=subprocess.PIPE)


def mount(*arguments: str) -> str:
    """Run mount; what it complains of, or an empty text."""
    return subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False).stderr.strip()


def unmount(place: Path) -> None:
    subprocess.run(["umount", str(place)], check=True)


async def test_kill_nine_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    for commits in (1, 3, 10):
        state = tmp_path / str(commits)
        process = start_committing(state)
        assert process.stdout is not None
        told = -1
        while told < commits:
            told = int(process.stdout.readline())
        with pytest.raises(StateLockedError, match=str(process.pid)) as locked:
            await Journal.open(state, clock=SystemClock())
        assert locked.value.exit_code == 75
        process.kill()
        process.wait()
        process.stdout.close()
        journal = await Journal.open(state, clock=SystemClock())
        try:
            done = await journal.last_seq() - 1
            assert done >= told
            assert await journal.drift_state(S) == str(done)
            assert len(await journal.unsent(1000)) == done + 1
            assert [a.file.path for a in await journal.pending(0, 10)] in ([], [f"{done + 1}.tif"])
        finally:
            await journal.close()


async def test_a_full_disk_loses_nothing_and_the_same_commit_succeeds_later(journal: Journal) -> None:
    admissions = await journal.admit([settled(f"{number}.tif") for number in range(3)])
    connection = journal._connection
    (pages,) = await journal._read(lambda c: c.execute("PRAGMA page_count").fetchone())
    await journal._read(lambda c: c.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone())
    commit = Commit(tuple(scored(a, "h") for a in admissions), {S: "state"}, tuple(event(n, size=9000) for n in range(5)))
    for _ in range(2):
        with pytest.raises(JournalFullError, match="free space on the disk"):
            await journal.commit(commit)
    assert await journal.pending(0, 10) == admissions
    assert await journal.last_seq() == 0
    await journal._read(lambda c: c.execute("PRAGMA max_page_count = 1073741823").fetchone())
    assert await journal.commit(commit) == 5
    assert await journal.pending(0, 10) == []
    assert connection is journal._connection


async def test_a_truly_full_disk(tmp_path: Path, missing) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        missing("root", "a small disk can be mounted by root on Linux only")
    if complaint := mount("-t", "tmpfs", "-o", "size=700k", "tmpfs", str(small)):
        pytest.skip(f"mounting is not permitted: {complaint}")
    try:
        journal = await Journal.open(small / "state", clock=SystemClock())
        committed = 0
        try:
            while True:
                committed = await journal.append([event(committed, size=20_000)])
        except JournalFullError:
            assert committed > 3
        assert await journal.last_seq() == committed
        assert mount("-o", "remount,size=4m", str(small)) == ""
        assert await journal.append([event(99)]) == committed + 1
        await journal.close()
    finally:
        unmount(small)


async def test_a_damaged_journal_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite3").write_bytes(b"this is no database, not at all" * 200)
    with pytest.raises(JournalError, match=r"is damaged .*; restore it from a backup"):
        await Journal.open(tmp_path, clock=SystemClock())
    (tmp_path / "journal.sqlite3").unlink()
    await (await Journal.open(tmp_path, clock=SystemClock())).close()  # the failed try let the lock go


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("PRAGMA user_version = 99", "was written by a newer edge-agent"),
        ("PRAGMA application_id = 5", "not an edge-agent journal"),
    ],
)
async def test_a_strange_or_newer_journal_is_refused(tmp_path: Path, statement: str, complaint: str) -> None:
    await (await Journal.open(tmp_path, clock=SystemClock())).close()
    connection = sqlite3.connect(tmp_path / "journal.sqlite3")
    connection.execute(statement)
    connection.close()
    with pytest.raises(JournalError, match=complaint):
        await Journal.open(tmp_path, clock=SystemClock())
    with pytest.raises(JournalError, match=complaint):
        JournalView(tmp_path).status()


async def test_a_journal_of_the_first_release_is_brought_up_to_date_with_all_it_knows(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    connection = sqlite3.connect(path)
    for statement in MIGRATIONS[0]:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    connection.execute("INSERT INTO journal VALUES ('j1', 0)")
    connection.execute("INSERT INTO stream (name, begun, drift_state) VALUES ('sem', 1, 'state')")
    connection.commit()
    connection.close()
    journal = await Journal.open(tmp_path, clock=SystemClock())
    try:
        assert journal.journal_id == "j1"
        assert await journal.drift_state(S) == "state"
        assert await journal.look(lambda asked: operation.standing(asked, S)) == Standing(S)
        assert await journal.look(lambda asked: operation.words(asked, S)) == []
    finally:
        await journal.close()
