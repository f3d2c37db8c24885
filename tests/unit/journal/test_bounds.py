"""A journal does not grow for ever: its file shrinks when results go, and files that have long been gone are forgotten."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from edge_agent.core.clock import SystemClock
from edge_agent.core.errors import JournalError
from edge_agent.core.event import Event
from edge_agent.core.frame import FileIdentity, SettledFile, SettleOutcome
from edge_agent.core.portion import RefusedFrame
from edge_agent.journal import FIRST, Commit, FinishedFile, FrameRecord, Journal, Outcome, absence, retention, schema
from edge_agent.journal.schema import APPLICATION_ID, MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from edge_agent.core.frame import Admission

S = "sem"
MB = 1_000_000


class Clock(SystemClock):
    at_ns = 1_000

    def now_ns(self) -> int:
        return self.at_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def journal(tmp_path: Path, clock: Clock) -> AsyncIterator[Journal]:
    journal = await Journal.open(tmp_path / "state", clock=clock)
    yield journal
    await journal.close()


async def admitted(journal: Journal, *paths: str, stream: str = S) -> list[Admission]:
    return await journal.admit([SettledFile(FileIdentity(stream, path, 1, 1), SettleOutcome.COMPLETE, 7) for path in paths])


def scored(admission: Admission) -> FinishedFile:
    frame = FrameRecord(0, "h", f"id-{admission.seq}", b'{"fill": "%s"}' % (b"x" * 3000), ((0.1,),))
    return FinishedFile(admission, Outcome.SCORED, admission.generation, (frame,))


async def known(journal: Journal) -> dict[str, absence.Key]:
    return {path: key for key, path in await journal.known_after(S, FIRST, 100)}


async def fill(journal: Journal, frames: int) -> None:
    for start in range(0, frames, 500):
        done = await admitted(journal, *(f"{number}.tif" for number in range(start, min(frames, start + 500))))
        fill = b'{"fill": "%s"}' % (b"x" * 2000)
        events = [Event(f"{one.seq}", "t", "s", S, "2026-01-01T00:00:00Z", "edge.frames", "k", fill) for one in done]
        await journal.commit(Commit(tuple(map(scored, done)), {}, tuple(events)))
    await journal.mark_published(await journal.last_seq())


async def test_the_file_gives_the_space_of_old_results_back(journal: Journal, clock: Clock, tmp_path: Path) -> None:
    file = tmp_path / "state" / "journal.sqlite3"
    await fill(journal, 6_000)
    await checkpointed(journal)
    peak = file.stat().st_size
    assert peak > 30 * MB
    clock.at_ns = 9_000
    await journal.prune(5_000)
    await checkpointed(journal)
    assert file.stat().st_size < peak / 4
    spare = retention.SPARE_PAGES * 4096
    assert file.stat().st_size > spare  # what the next frames need is kept
    assert len(await known(journal)) == 100  # whoever is known stays so
    await fill(journal, 1)  # and the file is whole
    assert await journal.look(lambda connection: connection.execute("PRAGMA integrity_check").fetchall()) == [("ok",)]


async def checkpointed(journal: Journal) -> None:
    """What the log holds is in the file, as it soon is by itself."""
    await journal._read(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())


async def test_vacuum_goes_by_small_transactions(journal: Journal, clock: Clock) -> None:
    await fill(journal, 6_000)
    clock.at_ns = 9_000
    for statement in retention.STATEMENTS:
        while await journal._write(lambda connection, statement=statement: retention.prune_step(connection, statement, 5_000)):
            pass
    steps = []
    while went := await journal._read(retention.vacuum_step):
        steps.append(went)
    assert len(steps) > 5
    assert set(steps[:-1]) == {retention.VACUUM_PAGES}


@pytest.mark.parametrize(("largest", "mode"), [(schema.REWRITTEN_BYTES, 2), (0, 0)])
async def test_a_journal_that_could_not_shrink_can_afterwards_unless_it_is_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, largest: int, mode: int
) -> None:
    path = tmp_path / "journal.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    for statement in MIGRATIONS[0]:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    connection.execute("INSERT INTO journal VALUES ('j1', 0)")
    connection.commit()
    connection.close()
    monkeypatch.setattr(schema, "REWRITTEN_BYTES", largest)
    journal = await Journal.open(tmp_path, clock=SystemClock())
    try:
        assert journal.journal_id == "j1"
        assert await journal.look(lambda connection: connection.execute("PRAGMA auto_vacuum").fetchone()) == (mode,)
    finally:
        await journal.close()


async def test_only_who_was_missed_for_the_whole_retention_is_forgotten(journal: Journal, clock: Clock) -> None:
    await journal.adopt(S, [FileIdentity(S, path, 1, 1) for path in ("a/gone.tif", "a/back.tif", "b/gone.tif")])
    keys = await known(journal)
    assert list(keys) == ["a/back.tif", "a/gone.tif", "b/gone.tif"]
    await journal.note_absent(list(keys.values()), [])
    clock.at_ns = 2_000
    await journal.note_absent([keys["a/gone.tif"], keys["b/gone.tif"]], [keys["a/back.tif"]])
    await journal.forget_absent(S, 1_000)  # all were missed at 1,000, none before
    assert len(await known(journal)) == 3
    await journal.note_absent(list(keys.values()), [])
    await journal.forget_absent("other", 1_001)
    assert len(await known(journal)) == 3
    await journal.forget_absent(S, 1_001)
    assert list(await known(journal)) == ["a/back.tif"]
    assert [one.generation for one in await admitted(journal, "a/gone.tif", "b/gone.tif", "a/back.tif")] == [0, 0]


async def test_who_has_results_is_kept_until_they_have_gone(journal: Journal, clock: Clock) -> None:
    """A forgotten file that comes back begins at generation 0, whose frames the journal must not hold any more."""
    (done,) = await admitted(journal, "a.tif")
    await journal.commit(Commit((scored(done),)))
    keys = list((await known(journal)).values())
    await journal.note_absent(keys, [])
    clock.at_ns = 5_000
    await journal.forget_absent(S, 4_000)
    assert await known(journal)
    clock.at_ns = 9_999
    await journal.prune(8_000)
    await journal.forget_absent(S, 4_500)
    assert await known(journal)  # kept for as long again
    await journal.forget_absent(S, 9_000)
    assert not await known(journal)
    assert [one.generation for one in await admitted(journal, "a.tif")] == [0]


async def test_who_has_but_refused_frames_is_kept_until_they_have_gone(journal: Journal, clock: Clock) -> None:
    """Else a stack that comes back would be refused at generation 0 twice, which no journal takes."""
    (done,) = await admitted(journal, "stack.h5")
    refused = tuple(RefusedFrame(place, "", "constant", "all 0", "look") for place in range(2))
    await journal.note_absent(list((await known(journal)).values()), [])
    clock.at_ns = 5_000  # the model was away, and the file went meanwhile
    await journal.commit(Commit((FinishedFile(done, Outcome.QUARANTINED, 0, refused=refused),)))
    await journal.forget_absent(S, 4_000)
    (back,) = await journal.admit([SettledFile(FileIdentity(S, "stack.h5", 2, 2), SettleOutcome.COMPLETE, 7)])
    await journal.commit(Commit((FinishedFile(back, Outcome.QUARANTINED, back.generation, refused=refused),)))
    assert back.generation == 1


async def test_nobody_is_forgotten_while_frames_of_that_age_wait(journal: Journal, clock: Clock) -> None:
    await admitted(journal, "waits.tif")
    await journal.note_absent(list((await known(journal)).values()), [])
    clock.at_ns = 9_999
    await journal.forget_absent(S, 9_000)
    assert await known(journal)


async def test_known_files_are_walked_through_in_portions(journal: Journal) -> None:
    paths = [f"{folder}/{number}.tif" for folder in ("a", "b", "\udcff") for number in range(3)] + ["top.tif", "\udcfe.tif"]
    await journal.adopt(S, [FileIdentity(S, path, 1, 1) for path in paths])
    await journal.adopt("other", [FileIdentity("other", "a/0.tif", 1, 1)])
    found: list[str] = []
    after = FIRST
    while portion := await journal.known_after(S, after, 2):
        found += [path for _, path in portion]
        after = portion[-1][0]
    assert sorted(found) == sorted(paths)


async def test_a_try_to_write_changes_nothing_and_meets_a_journal_that_takes_none(journal: Journal) -> None:
    await fill(journal, 10)
    before = await journal.last_seq(), await journal.unsent(10)
    await journal.try_to_write()
    assert (await journal.last_seq(), await journal.unsent(10)) == before
    await journal._read(lambda connection: connection.execute("PRAGMA query_only = 1"))
    with pytest.raises(JournalError):
        await journal.try_to_write()
