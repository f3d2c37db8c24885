"""Which files a watcher hands over, when, and as what."""

import asyncio
import errno
import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_agent.core.clock import utc_of
from edge_agent.core.frame import SettleOutcome
from edge_agent.watch import FolderWatcher, FoundFile, folder, listing, scan
from edge_agent.watch.look import Looker
from edge_agent.watch.native import NativeObserver
from edge_agent.watch.patterns import PathFilter
from edge_agent.watch.settling import Settling
from tests.watched import OBSERVERS, Ledger, Told, running, until, watcher


@OBSERVERS
async def test_what_was_there_before_is_known_and_what_comes_is_handed_over(tmp_path: Path, ledger: Ledger, observer: str) -> None:
    (tmp_path / "old.tif").write_bytes(b"1")
    (tmp_path / "old.txt").write_bytes(b"1")
    async with running(watcher(tmp_path, ledger, observer=observer)):
        (tmp_path / "a").mkdir()
        for name in ("new.tif", "a/new.tif", "a/notes.docx", "a/.new.tif"):
            (tmp_path / name).write_bytes(b"12")
        await ledger.until(lambda: len(ledger.paths) == 2)
    assert sorted(ledger.adopted) == ["old.tif", "old.txt"]
    assert ledger.expected == ["sem", "sem"], "said when each was noticed"
    assert sorted(ledger.paths) == ["a/new.tif", "new.tif"]
    assert ledger.has_begun


async def test_polling_finds_what_events_find(tmp_path: Path) -> None:
    ledgers = {observer: Ledger() for observer in ("native", "polling")}
    names = [f"{sample}/{number}.tif" for sample in ("S1", "S2/deep") for number in range(20)]
    async with (
        running(watcher(tmp_path, ledgers["native"], observer="native", scan_interval_s=60)),
        running(watcher(tmp_path, ledgers["polling"], observer="polling")),
    ):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(name.encode())
        for ledger in ledgers.values():
            await ledger.until(lambda ledger=ledger: len(ledger.paths) == len(names))
    assert {settled.file for settled in ledgers["native"].settled} == {settled.file for settled in ledgers["polling"].settled}


async def test_scans_find_everything_when_every_event_is_suppressed(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NativeObserver, "on_any_event", lambda *_: None)
    told = Told()
    async with running(watcher(tmp_path, ledger, observer="native", told=told)):
        (tmp_path / "a.tif").write_bytes(b"1")
        await ledger.until(lambda: ledger.paths == ["a.tif"])
        (tmp_path / "a.tif").write_bytes(b"22")
        await ledger.until(lambda: ledger.paths == ["a.tif", "a.tif"])
    assert set(told.vias) == {"scan"}


async def test_from_the_beginning_takes_all_in_order(tmp_path: Path, ledger: Ledger) -> None:
    for name, mtime_s in (("f10.tif", 50), ("f9.tif", 50), ("a.tif", 60), ("z.tif", 40)):
        (tmp_path / name).write_bytes(b"1")
        os.utime(tmp_path / name, (mtime_s, mtime_s))
    await watcher(tmp_path, ledger, start="beginning").drain()
    assert ledger.paths == ["z.tif", "f9.tif", "f10.tif", "a.tif"]


async def test_a_later_run_takes_what_came_between(tmp_path: Path) -> None:
    ledger = Ledger(begun=True)
    (tmp_path / "between.tif").write_bytes(b"1")
    async with running(watcher(tmp_path, ledger, start="now")):
        await ledger.until(lambda: ledger.paths == ["between.tif"])
    assert ledger.adopted == []


async def test_a_file_settles_soon_after_it_has_rested(tmp_path: Path, ledger: Ledger) -> None:
    settle_s, waits = 0.2, []
    async with running(watcher(tmp_path, ledger, observer="native", settle_s=settle_s, scan_interval_s=60)):
        for number in range(10):
            name = f"{number}.tif"
            (tmp_path / name).write_bytes(b"1" * 1000)
            written_s = asyncio.get_running_loop().time()
            await ledger.until(lambda name=name: name in ledger.paths)
            waits.append(ledger.settled_at_s[name] - written_s)
    assert min(waits) >= settle_s - 0.01
    assert sorted(waits)[len(waits) // 2] <= settle_s + 0.1


@OBSERVERS
async def test_a_growing_file_is_handed_over_once_and_whole(tmp_path: Path, ledger: Ledger, observer: str) -> None:
    size = 30 * 100
    async with running(watcher(tmp_path, ledger, observer=observer, settle_s=0.3, settle_timeout_s=0.5)):
        with (tmp_path / "a.tif").open("wb", buffering=0) as file:
            for _ in range(30):  # longer than the timeout, which counts from the last change
                file.write(b"x" * 100)
                await asyncio.sleep(0.05)
        await ledger.until(lambda: ledger.paths)
    assert [settled.file.size for settled in ledger.settled] == [size]


async def test_a_pause_in_the_writing_does_not_make_a_file_whole(tmp_path: Path, ledger: Ledger) -> None:
    whole = b"x" * 200

    def said(path: Path) -> str:
        return "complete" if path.stat().st_size == len(whole) else "growing"

    async with running(watcher(tmp_path, ledger, is_complete=said)):
        (tmp_path / "a.tif").write_bytes(whole[:100])
        await asyncio.sleep(0.4)
        assert ledger.paths == []
        (tmp_path / "a.tif").write_bytes(whole)
        await ledger.until(lambda: ledger.paths)
    assert [(settled.file.size, settled.outcome) for settled in ledger.settled] == [(200, SettleOutcome.COMPLETE)]


@pytest.mark.parametrize(("content", "why"), [(b"", "no bytes"), (b"II*\0", "lacks bytes")])
async def test_a_file_that_never_becomes_whole_is_given_up_with_the_reason(
    tmp_path: Path, ledger: Ledger, content: bytes, why: str
) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    (tmp_path / "b.tif").write_bytes(b"whole")

    def said(path: Path) -> str:
        return "growing" if path.name == "a.tif" else "complete"

    await watcher(tmp_path, ledger, start="beginning", is_complete=said, settle_timeout_s=0.5).drain()
    assert [(settled.file.path, settled.outcome) for settled in ledger.settled] == [
        ("b.tif", SettleOutcome.COMPLETE),
        ("a.tif", SettleOutcome.INCOMPLETE),
    ]
    assert why in ledger.settled[1].detail


async def test_a_file_that_cannot_be_opened_goes_to_its_reader_in_the_end(tmp_path: Path, ledger: Ledger) -> None:
    def refuses(path: Path) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    (tmp_path / "a.tif").write_bytes(b"1")
    await watcher(tmp_path, ledger, start="beginning", is_complete=refuses, settle_timeout_s=0.3).drain()
    assert [settled.outcome for settled in ledger.settled] == [SettleOutcome.COMPLETE]


@OBSERVERS
async def test_a_file_renamed_into_place_is_taken_under_its_last_name_only(tmp_path: Path, ledger: Ledger, observer: str) -> None:
    (tmp_path / "outside").mkdir()
    root = tmp_path / "root"
    root.mkdir()
    async with running(watcher(root, ledger, observer=observer)):
        (root / "a.tif.part").write_bytes(b"1")
        (root / "a.tif.part").rename(root / "a.tif")
        (tmp_path / "outside" / "b.tif").write_bytes(b"1")
        (tmp_path / "outside").rename(root / "inside")
        await ledger.until(lambda: len(ledger.paths) == 2)
    assert sorted(ledger.paths) == ["a.tif", "inside/b.tif"]


async def test_a_file_deleted_before_it_settles_is_forgotten(tmp_path: Path, ledger: Ledger) -> None:
    told = Told()
    async with running(watcher(tmp_path, ledger, settle_s=0.2, told=told)):
        (tmp_path / "gone.tif").write_bytes(b"1")
        await until(lambda: told.vias)
        (tmp_path / "gone.tif").unlink()
        (tmp_path / "stays.tif").write_bytes(b"1")
        await ledger.until(lambda: ledger.paths)
    assert ledger.paths == ["stays.tif"]


async def test_a_side_car_is_told_as_its_frames_companion(tmp_path: Path, ledger: Ledger) -> None:
    async with running(watcher(tmp_path, ledger)):
        (tmp_path / "a.txt").write_text("[SemImageFile]")  # before its image, as Hitachi does
        (tmp_path / "a.tif").write_bytes(b"1")
        (tmp_path / "lonely.txt").write_text("a note")
        await ledger.until(lambda: len(ledger.paths) == 2)
    assert {(settled.file.path, settled.outcome, settled.detail) for settled in ledger.settled} == {
        ("a.tif", SettleOutcome.COMPLETE, ""),
        ("a.txt", SettleOutcome.COMPANION, "a.tif"),
    }


async def test_a_burst_of_two_thousand_files_is_taken_without_loss_or_repeat(tmp_path: Path, ledger: Ledger) -> None:
    async with running(watcher(tmp_path, ledger, observer="native")):
        for number in range(2000):
            (tmp_path / f"{number}.tif").write_bytes(b"1")
        await ledger.until(lambda: len(ledger.paths) >= 2000, 30)
    assert sorted(ledger.paths) == sorted(f"{number}.tif" for number in range(2000))


async def test_names_may_be_long_and_in_any_script(tmp_path: Path, ledger: Ledger) -> None:
    names = ["pr\u00f6be \u8a66\u6599 \U0001f52c.tif", "x" * 200 + ".tif"]
    async with running(watcher(tmp_path, ledger)):
        for name in names:
            (tmp_path / name).write_bytes(b"1")
        await ledger.until(lambda: len(ledger.paths) == 2)
    assert sorted(ledger.paths) == sorted(names)


async def test_links_that_loop_are_not_followed(tmp_path: Path, ledger: Ledger) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.tif").write_bytes(b"1")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "broken.tif").symlink_to(tmp_path / "nowhere")
    await watcher(tmp_path, ledger, start="beginning").drain()
    assert ledger.paths == ["a/b.tif"]


async def test_absence_never_prunes_and_a_file_that_comes_back_unchanged_is_not_told_again(tmp_path: Path, ledger: Ledger) -> None:
    (tmp_path / "a.tif").write_bytes(b"1")
    await watcher(tmp_path, ledger, start="beginning").drain()
    (tmp_path / "a.tif").rename(tmp_path / "a.bak")
    await watcher(tmp_path, ledger).drain()
    (tmp_path / "a.bak").rename(tmp_path / "a.tif")
    await watcher(tmp_path, ledger).drain()
    assert ledger.paths == ["a.tif"]


async def test_a_writer_that_never_rests_does_not_keep_a_drain_for_ever(tmp_path: Path, ledger: Ledger) -> None:
    (tmp_path / "a.tif").write_bytes(b"1")

    async def write_for_ever() -> None:
        with (tmp_path / "a.tif").open("ab", buffering=0) as file:
            while True:
                file.write(b"1")
                await asyncio.sleep(0.02)

    writing = asyncio.create_task(write_for_ever())
    await watcher(tmp_path, ledger, start="beginning", settle_timeout_s=0.5).drain()
    writing.cancel()
    assert [settled.outcome for settled in ledger.settled] == [SettleOutcome.INCOMPLETE]
    assert "still being written" in ledger.settled[0].detail


async def test_a_watcher_knows_its_stream(tmp_path: Path, ledger: Ledger) -> None:
    of: FolderWatcher = watcher(tmp_path, ledger)
    assert (of.stream, of.state.watching) == ("sem", False)


@pytest.mark.parametrize("mtime_ns", [-(1 << 63) - 1, (1 << 63) - 1, 1 << 63, 300_000_000_000 * 10**9, -70_000_000_000 * 10**9])
async def test_a_time_that_no_calendar_holds_is_brought_within_bounds_wherever_a_file_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mtime_ns: int
) -> None:
    state = SimpleNamespace(st_size=3, st_mtime_ns=mtime_ns, st_mode=stat.S_IFREG)
    entry = SimpleNamespace(stat=lambda: state)
    listed: list[FoundFile] = []
    listing._append(listed, entry, "a.tif", "")  # type: ignore[arg-type]  # a stand-in for os.DirEntry, which cannot be made
    monkeypatch.setattr(Path, "stat", lambda *_, **__: state)
    looked = Looker(tmp_path, PathFilter(["**/*.tif"], []), lambda _: "complete").state("a.tif")
    assert [looked] == listed
    assert listed[0].mtime_ns.to_bytes(8, signed=True)
    assert 1676 < utc_of(listed[0].mtime_ns).year < 2263


@pytest.mark.parametrize("drain", [True, False])
async def test_a_backlog_is_taken_in_portions_in_order(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, drain: bool
) -> None:
    monkeypatch.setattr(scan, "PORTION", 7)
    monkeypatch.setattr(folder, "PORTION", 7)
    for number in range(40):
        path = tmp_path / f"S{number % 3}" / f"{number}.tif"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"1")
        os.utime(path, ns=(1000, (100 + number) * 10**9))
    most = 0
    due = Settling.due

    def counted(of: Settling, now_s: float, limit: int) -> list[Any]:
        nonlocal most
        most = max(most, len(of))
        return due(of, now_s, limit)

    monkeypatch.setattr(Settling, "due", counted)
    of = watcher(tmp_path, ledger, start="beginning", scan_interval_s=60, observer="native")
    if drain:
        await of.drain()
    else:
        async with running(of):
            await ledger.until(lambda: len(ledger.paths) == 40)
    assert [int(Path(path).stem) for path in ledger.paths] == list(range(40))
    assert most <= 14
