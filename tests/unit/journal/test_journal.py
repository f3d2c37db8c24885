"""The journal keeps what was committed, and nothing else, whatever happens in between."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edge_agent.core.clock import SystemClock
from edge_agent.core.errors import JournalError
from edge_agent.core.frame import FileIdentity
from edge_agent.core.portion import RefusedFrame
from edge_agent.journal import Commit, FinishedFile, Journal, JournalView, Outcome, known
from edge_agent.watch.listing import EARLIEST_NS, LATEST_NS
from tests.journal_entries import S, event, scored, settled

if TYPE_CHECKING:
    from pathlib import Path


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
    assert sum(len(journal.in_directory(S, str(folder))) for folder in range(200)) == 200_000
    assert time.monotonic() - began < 20  # about 1.2 s on an idle machine


async def test_the_names_of_a_large_directory_are_known_without_being_held(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [FileIdentity(S, f"many/{number}.tif", number, EARLIEST_NS + number) for number in range(5_000)]
    odd = FileIdentity(S, "many/\udcff.tif", 99, LATEST_NS)
    await journal.adopt(S, [*files, odd, settled("few/0.tif").file])
    held = journal.in_directory(S, "many")
    monkeypatch.setattr(known, "HELD", 5_000)
    many = journal.in_directory(S, "many")
    assert isinstance(held, dict)
    assert isinstance(many, known.ManyNames)
    assert len(many) == len(held) == 5_001
    assert {name: many.get(name) for name in held} == held
    assert all(name in many for name in held)
    assert not any(f"{number}.tif" in many for number in range(5_000, 10_000))
    assert journal.in_directory(S, "few") == {"0.tif": (1, 1)}


async def test_names_that_share_a_hash_are_never_taken_for_one_state() -> None:
    class Alike(str):
        __slots__ = ()

        def __hash__(self) -> int:
            return 7

    many = known.ManyNames(iter([(Alike("a.tif"), 1, 2), ("b.tif", 3, 4)]))
    assert many.get(Alike("new.tif")) == (1, 2), "as if a known file had changed: the journal is asked to admit it, by its name"
    assert many.get("b.tif") == (3, 4)


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
