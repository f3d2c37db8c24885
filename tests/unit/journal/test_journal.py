"""The journal keeps what was committed, and nothing else, whatever happens in between."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edge_agent.core.clock import SystemClock
from edge_agent.core.errors import JournalError, JournalFullError, StateLockedError
from edge_agent.core.event import Event
from edge_agent.core.frame import Admission, FileIdentity, SettledFile, SettleOutcome
from edge_agent.core.portion import RefusedFrame
from edge_agent.journal import Commit, FinishedFile, FrameRecord, Journal, JournalView, Outcome, Standing, operation
from edge_agent.journal.schema import APPLICATION_ID, MIGRATIONS
from edge_agent.watch.listing import EARLIEST_NS, LATEST_NS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

S = "sem"


def settled(path: str, size: int = 1, mtime_ns: int = 1, outcome: SettleOutcome = SettleOutcome.COMPLETE) -> SettledFile:
    return SettledFile(FileIdentity(S, path, size, mtime_ns), outcome, 7, "")


def event(number: int, kind: str = "edge.frame.scored.v1", size: int = 0, **data: object) -> Event:
    payload = json.dumps({"number": number, "fill": "x" * size, **data}).encode()
    return Event(f"id-{number}", kind, "/edge-agent/a", S, "2026-01-01T00:00:00Z", "edge.frames", f"a/{S}", payload)


def scored(admission: Admission, *hashes: str, generation: int | None = None, first: int = 0) -> FinishedFile:
    data = json.dumps({"path": admission.file.path, "stream": S}).encode()
    frames = tuple(FrameRecord(first + i, text, f"id-{i}", data, ((0.1, 0.2),)) for i, text in enumerate(hashes))
    return FinishedFile(admission, Outcome.SCORED, admission.generation if generation is None else generation, frames)


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = await Journal.open(tmp_path / "state", clock=SystemClock())
    yield journal
    await journal.close()


async def test_sequence_numbers_ascend_in_the_order_of_admission(journal: Journal) -> None:
    first = await journal.admit([settled("b.tif"), settled("a.tif")])
    second = await journal.admit([settled("c/d.tif")])
    assert [(a.seq, a.file.path, a.generation) for a in first + second] == [(1, "b.tif", 0), (2, "a.tif", 0), (3, "c/d.tif", 0)]
    assert await journal.pending(0, 10) == first + second
    assert await journal.pending(1, 1) == [first[1]]


async def test_a_known_file_is_admitted_again_only_when_it_changed(journal: Journal) -> None:
    await journal.admit([settled("a.tif")])
    assert await journal.admit([settled("a.tif")]) == []
    assert [a.generation for a in await journal.admit([settled("a.tif", mtime_ns=2)])] == [1]
    assert [a.generation for a in await journal.admit([settled("a.tif", size=2, mtime_ns=2)])] == [2]


async def test_adopted_files_are_known_but_not_pending(journal: Journal) -> None:
    assert not journal.begun(S)
    await journal.adopt(S, [settled("a.tif").file, settled("sub/b.tif", 5, 6).file])
    await journal.begin(S)
    assert journal.begun(S)
    assert not journal.begun("other")
    assert journal.in_directory(S, "") == {"a.tif": (1, 1)}
    assert journal.in_directory(S, "sub") == {"b.tif": (5, 6)}
    assert journal.in_directory("other", "") == {}
    assert await journal.pending(0, 10) == []
    assert await journal.admit([settled("a.tif")]) == []


async def test_two_hundred_thousand_files_are_adopted_in_seconds(journal: Journal) -> None:
    files = [FileIdentity(S, f"{number // 1000}/{number}.tif", number, number) for number in range(200_000)]
    began = time.monotonic()
    await journal.adopt(S, files)
    known = sum(len(journal.in_directory(S, str(folder))) for folder in range(200))
    assert known == 200_000
    assert time.monotonic() - began < 20  # about 1.2 s on an idle machine


async def test_a_commit_makes_everything_durable_together(journal: Journal, tmp_path: Path) -> None:
    (admission,) = await journal.admit([settled("a.tif")])
    commit = Commit((scored(admission, "h0", "h1"),), {S: '{"n": 1}'}, (event(1), event(2)))
    assert await journal.commit(commit) == 2
    assert await journal.pending(0, 10) == []
    assert await journal.drift_state(S) == '{"n": 1}'
    assert await journal.drift_state("other") is None
    assert await journal.frame_hashes(S, "a.tif", 0) == {0: "h0", 1: "h1"}
    assert [(row.seq, row.event) for row in await journal.unsent(10)] == [(1, event(1)), (2, event(2))]
    assert await journal.last_seq() == 2
    frames = JournalView(tmp_path / "state").frames("a.tif")
    assert [frame["field_entropy"] for frame in frames] == [[[0.1, 0.2]], [[0.1, 0.2]]]


async def test_a_commit_that_fails_leaves_nothing_behind(journal: Journal) -> None:
    (admission,) = await journal.admit([settled("a.tif")])
    await journal.commit(Commit((scored(admission, "h0"),)))
    (again,) = await journal.admit([settled("b.tif")])
    with pytest.raises(ValueError, match="1 of them were pending"):
        await journal.commit(Commit((scored(again, "h"), scored(admission, "h")), {S: "new"}, (event(1),)))
    assert await journal.pending(0, 10) == [again]
    assert await journal.drift_state(S) is None
    assert await journal.last_seq() == 0


async def test_a_grown_stack_keeps_its_generation(journal: Journal) -> None:
    (first,) = await journal.admit([settled("stack.tif")])
    await journal.commit(Commit((scored(first, "h0", "h1"),)))
    (grown,) = await journal.admit([settled("stack.tif", size=2)])
    await journal.commit(Commit((scored(grown, "h2", generation=0, first=2),)))
    assert await journal.frame_hashes(S, "stack.tif", 0) == {0: "h0", 1: "h1", 2: "h2"}
    (grown_again,) = await journal.admit([settled("stack.tif", size=3)])
    assert grown_again.generation == 1


async def test_a_portion_leaves_its_file_pending_and_what_was_refused_is_known(journal: Journal) -> None:
    (admission,) = await journal.admit([settled("stack.nxs")])
    refused = RefusedFrame(1, "", "not_finite", "frame 1 holds no numbers", "look")
    portion = replace(scored(admission, "h0"), outcome=None, refused=(refused,))
    await journal.commit(Commit((portion,), {S: "1"}))
    assert await journal.pending(0, 10) == [admission]
    assert await journal.frame_hashes(S, "stack.nxs", 0) == {0: "h0", 1: ""}
    assert await journal.last_frame(S, "stack.nxs", 0) == (0, 1, "")
    assert await journal.last_frame(S, "stack.nxs", 100_000) == (0, 1, "")
    assert await journal.last_frame(S, "stack.nxs", -1) is None
    with pytest.raises(JournalError, match="UNIQUE"):  # never a second row
        await journal.commit(Commit((portion,), {S: "2"}))
    assert await journal.drift_state(S) == "1"
    await journal.commit(Commit((replace(portion, frames=(), refused=()), scored(admission, "h2", first=2))))
    assert await journal.pending(0, 10) == []
    assert await journal.last_frame(S, "stack.nxs", 0) == (0, 2, "h2")
    assert await journal.prune(time.time_ns() + 10**9) == 2 + 1 + 1  # two scored frames, the refused one, the admission
    assert await journal.last_frame(S, "stack.nxs", 0) is None


async def test_published_events_are_never_given_out_again(journal: Journal) -> None:
    await journal.append([event(number) for number in range(5)])
    await journal.mark_published(3)
    await journal.mark_published(2)
    assert [row.seq for row in await journal.unsent(10)] == [4, 5]
    count, oldest_ns = await journal.outbox_backlog()
    assert count == 2
    assert oldest_ns is not None
    await journal.mark_published(5)
    assert await journal.outbox_backlog() == (0, None)
    assert await journal.last_seq() == 5


async def test_a_reopened_journal_is_the_same_journal(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path, clock=SystemClock())
    (admission,) = await journal.admit([settled("a.tif")])
    await journal.append([event(1)])
    await journal.mark_published(1)
    await journal.close()
    await journal.close()
    with pytest.raises(JournalError, match="is closed"):
        await journal.pending(0, 1)
    again = await Journal.open(tmp_path, clock=SystemClock())
    try:
        assert again.journal_id == journal.journal_id
        assert await again.pending(0, 10) == [admission]
        assert await again.unsent(10) == []
        assert await again.append([event(2)]) == 2
    finally:
        await again.close()


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


async def test_names_that_are_no_unicode_are_known_all_the_same(journal: Journal) -> None:
    name = os.fsdecode(b"caf\xe9.tif") if sys.platform != "win32" else "caf\udce9.tif"
    (admission,) = await journal.admit([settled(f"ü/{name}")])
    assert (await journal.pending(0, 1)) == [admission]
    assert journal.in_directory(S, "ü") == {name: (1, 1)}
    assert await journal.admit([settled(f"ü/{name}")]) == []
    await journal.commit(Commit((scored(admission, "h"),)))
    assert await journal.frame_hashes(S, f"ü/{name}", 0) == {0: "h"}


async def test_retention_spares_what_is_unsent_open_or_pending(tmp_path: Path) -> None:
    class Clock(SystemClock):
        at_ns = 1_000

        def now_ns(self) -> int:
            return self.at_ns

    clock = Clock()
    journal = await Journal.open(tmp_path, clock=clock)
    try:
        old, left = await journal.admit([settled("old.tif"), settled("left.tif")])
        alerts = (
            event(1, "edge.alert.opened.v1", episode="open"),
            event(2, "edge.alert.opened.v1", episode="over"),
            event(3, "edge.alert.closed.v1", episode="over"),
        )
        await journal.commit(Commit((scored(old, "h"),), {S: "s"}, alerts))
        clock.at_ns = 9_000
        await journal.append([event(4)])
        await journal.mark_published(2)
        assert await journal.prune(5_000) == 1 + 2 + 1 + 1  # the frame, two published events, the admission, the closed episode
        assert [row.seq for row in await journal.unsent(10)] == [3, 4]
        assert await journal.last_seq() == 4
        assert await journal.pending(0, 10) == [left]
        assert journal.in_directory(S, "") == {"old.tif": (1, 1), "left.tif": (1, 1)}
        assert await journal.frame_hashes(S, "old.tif", 0) == {}
        assert await journal.drift_state(S) == "s"
        status = JournalView(tmp_path).status()
        assert [alert["episode"] for alert in status.open_alerts] == ["open"]
        assert status.unsent_events == 2
    finally:
        await journal.close()


async def test_pruning_walks_through_many_rows(journal: Journal) -> None:
    await journal.append([event(number) for number in range(5000)])
    await journal.mark_published(4990)
    assert await journal.prune(time.time_ns() + 10**9) == 4990
    assert len(await journal.unsent(100)) == 10


async def test_a_view_tells_how_an_agent_stands_while_it_runs_and_after(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal"):
        JournalView(tmp_path)
    assert JournalView.open(tmp_path) is None
    journal = await Journal.open(tmp_path, clock=SystemClock())
    await journal.begin(S)
    first, second, _third = await journal.admit([settled("a.tif"), settled("bad.tif"), settled("sub/c.tif")])
    bad = FinishedFile(second, Outcome.QUARANTINED, 0, cause="truncated", detail="it ends early")
    await journal.commit(Commit((scored(first, "h"), bad), {S: "{}"}, (event(1),)))

    def check() -> None:
        view = JournalView(tmp_path)
        status = view.status()
        assert status.journal_id == journal.journal_id
        (stream,) = status.streams
        assert (stream.known_files, stream.pending, stream.frames) == (3, 1, 1)
        assert stream.outcomes == {"scored": 1, "quarantined": 1}
        assert status.unsent_events == 1
        assert [frame["path"] for frame in view.last_frames(5)] == ["a.tif"]
        assert view.last_frames(5, "other") == []
        assert view.begun(S)
        assert view.knows(S, settled("sub/c.tif").file)
        assert not view.knows(S, settled("sub/c.tif", 2).file)
        assert not view.knows(S, settled("new.tif").file)

    check()
    await journal.close()
    check()


async def test_questions_from_many_threads_are_answered(journal: Journal) -> None:
    await journal.adopt(S, [settled("a.tif").file])

    async def ask() -> object:
        return await asyncio.to_thread(journal.in_directory, S, "")

    assert await asyncio.gather(*(ask() for _ in range(50))) == [{"a.tif": (1, 1)}] * 50


async def test_the_farthest_times_a_file_may_have_are_kept(journal: Journal) -> None:
    files = [settled("a.tif", 1, EARLIEST_NS), settled("b.tif", 1, LATEST_NS)]
    assert [admission.file.mtime_ns for admission in await journal.admit(files)] == [EARLIEST_NS, LATEST_NS]


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
