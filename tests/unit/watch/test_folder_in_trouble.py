"""A folder that is not there, goes, hangs or cannot be listed, and an operating system that tells of no file."""

import asyncio
import errno
import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from edge_agent.core.errors import ConfigurationError
from edge_agent.watch import folder
from edge_agent.watch.look import Looker
from edge_agent.watch.native import NativeObserver
from edge_agent.watch.patterns import PathFilter
from tests.watched import OBSERVERS, Ledger, Told, running, until, watcher


async def test_a_folder_that_never_was_is_a_wrong_setting(tmp_path: Path, ledger: Ledger) -> None:
    with pytest.raises(ConfigurationError, match="there is no such folder") as raised:
        await watcher(tmp_path / "absent", ledger).prepare()
    assert raised.value.exit_code == 78


async def test_a_folder_that_was_there_before_is_waited_for(tmp_path: Path) -> None:
    ledger, told = Ledger(begun=True), Told()
    async with running(watcher(tmp_path / "late", ledger, told=told)) as waiting:
        assert not waiting.state.watching
        assert "waiting for folder" in waiting.state.reason
        (tmp_path / "late").mkdir()
        (tmp_path / "late" / "a.tif").write_bytes(b"1")
        await ledger.until(lambda: ledger.paths)
        assert waiting.state.watching
    assert told.up[-1] is True


@OBSERVERS
async def test_a_folder_that_goes_and_comes_back_is_watched_again(
    tmp_path: Path, ledger: Ledger, observer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "GUARD_S", 0.05)
    root, told = tmp_path / "root", Told()
    root.mkdir()
    async with running(watcher(root, ledger, observer=observer, told=told)) as watching:
        root.rename(tmp_path / "away")
        await until(lambda: not watching.state.watching)
        assert told.up[-1] is False
        (tmp_path / "away" / "meanwhile.tif").write_bytes(b"1")
        (tmp_path / "away").rename(root)
        await ledger.until(lambda: ledger.paths == ["meanwhile.tif"])
        (root / "after.tif").write_bytes(b"1")
        await ledger.until(lambda: ledger.paths == ["meanwhile.tif", "after.tif"])
    assert told.restarts == 1


async def test_a_folder_that_may_not_be_listed_any_more_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger()
    monkeypatch.setattr(folder, "GUARD_S", 0.02)
    async with running(watcher(tmp_path, ledger)) as of:
        allowed, may = os.scandir, SimpleNamespace(list=False)

        def scandir(path: Any) -> Any:
            if not may.list and Path(path) == tmp_path:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return allowed(path)

        monkeypatch.setattr(os, "scandir", scandir)
        await until(lambda: not of.state.watching)
        assert of.state.reason == f"waiting for folder {tmp_path}"
        may.list = True
        await until(lambda: of.state.watching)
        (tmp_path / "new.tif").write_bytes(b"1")
        await ledger.until(lambda: ledger.paths == ["new.tif"])


def test_an_empty_folder_on_another_device_is_what_a_drive_leaves_behind(tmp_path: Path) -> None:
    looker = Looker(tmp_path, PathFilter((), ()), lambda _: "complete")
    now = looker.root_identity()
    assert now is not None
    elsewhere, before_it_was_made_anew = (now[0] + 1, now[1]), (now[0], now[1] + 1)
    assert looker.root_identity(elsewhere) is None
    assert looker.root_identity(before_it_was_made_anew) == now
    (tmp_path / "a.tif").write_bytes(b"1")
    assert looker.root_identity(elsewhere) == now, "another drive, with files on it"


async def test_an_observer_that_died_is_started_again(tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "GUARD_S", 0.05)
    told = Told()
    async with running(watcher(tmp_path, ledger, observer="native", scan_interval_s=60, told=told)) as watching:
        died = watching._native
        assert died is not None
        await asyncio.to_thread(died.stop)
        await until(lambda: told.restarts)
        (tmp_path / "a.tif").write_bytes(b"1")
        await ledger.until(lambda: ledger.paths)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EMFILE])
async def test_without_watches_left_the_folder_is_polled(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuses(_: Any) -> None:
        raise OSError(code, "inotify watch limit reached")

    monkeypatch.setattr(NativeObserver, "start", refuses)
    async with running(watcher(tmp_path, ledger, observer="auto")) as watching:
        (tmp_path / "a.tif").write_bytes(b"1")
        await ledger.until(lambda: ledger.paths)
        assert "inotify watch limit reached" in watching.state.reason


async def test_file_events_are_asked_for_again_once_what_kept_them_away_may_be_mended(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, refused = NativeObserver.start, []

    def refuses_once(observer: NativeObserver) -> None:
        if not refused:
            refused.append(observer)
            raise OSError(errno.ENOSPC, "inotify watch limit reached")
        start(observer)

    monkeypatch.setattr(NativeObserver, "start", refuses_once)
    monkeypatch.setattr(folder, "EVENTS_AGAIN_S", 0.3)
    monkeypatch.setattr(folder, "GUARD_S", 0.1)
    async with running(watcher(tmp_path, ledger, observer="auto", scan_interval_s=600)) as watching:
        assert "inotify watch limit reached" in watching.state.reason
        await until(lambda: watching._native is not None and not watching.state.reason)
        (tmp_path / "a.tif").write_bytes(b"1")
        await ledger.until(lambda: ledger.paths, 5)


@OBSERVERS
async def test_a_folder_that_is_none_of_a_streams_business_is_so_whoever_finds_its_files(
    tmp_path: Path, ledger: Ledger, observer: str
) -> None:
    async with running(watcher(tmp_path, ledger, observer=observer)):
        for name in (".hidden", "@eaDir", "lost+found", ".acq.part", "deep/.acq.part/er"):
            (tmp_path / name).mkdir(parents=True)
            (tmp_path / name / "a.tif").write_bytes(b"1")
        await asyncio.sleep(0.5)
        (tmp_path / ".acq.part").rename(tmp_path / "acq")
        await ledger.until(lambda: ledger.paths)
        await asyncio.sleep(0.5)
        assert ledger.paths == ["acq/a.tif"]


async def test_a_folder_that_cannot_be_listed_is_told_for_as_long_as_it_cannot(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir, closed = os.scandir, [str(tmp_path / "closed")]

    def refusing(path: str) -> Any:
        if path in closed:
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    async with running(watcher(tmp_path, ledger, observer="polling")) as watching:
        assert watching.unseen == ""
        with capture_logs() as lines:
            (tmp_path / "closed").mkdir()
            await until(lambda: watching.unseen)
            assert watching.unseen.startswith("1 folder(s) cannot be listed, such as closed")
            await asyncio.sleep(0.5)
        assert [line["path"] for line in lines if "cannot be listed" in line["event"]] == ["closed"]
        closed.clear()
        (tmp_path / "closed" / "a.tif").write_bytes(b"1")
        await ledger.until(lambda: ledger.paths)
        await until(lambda: not watching.unseen)


async def test_lost_events_are_made_up_by_a_scan(tmp_path: Path, ledger: Ledger) -> None:
    async with running(watcher(tmp_path, ledger, observer="polling", scan_interval_s=600)) as watching:
        watching._hints.scan()
        (tmp_path / "a.tif").write_bytes(b"1")
        await ledger.until(lambda: ledger.paths, 5)


async def test_file_events_that_never_begin_do_not_keep_files_waiting(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = threading.Event()
    monkeypatch.setattr(folder, "OBSERVER_START_S", 0.1)
    monkeypatch.setattr(NativeObserver, "start", lambda _: hanging.wait(20))
    async with running(watcher(tmp_path, ledger, observer="native")) as of:
        (tmp_path / "a.tif").write_bytes(b"1")
        await ledger.until(lambda: ledger.paths == ["a.tif"], 5)
        assert "did not start" in of.state.reason
    hanging.set()


async def test_a_folder_that_hangs_is_told_of_and_watched_on_when_it_answers(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "GUARD_S", 0.02)
    monkeypatch.setattr(folder, "ANSWERS_WITHIN_S", 0.1)
    answers = threading.Event()
    answers.set()
    look = Looker.root_identity
    monkeypatch.setattr(Looker, "root_identity", lambda self, *before: (answers.wait(20), look(self, *before))[1])
    async with running(watcher(tmp_path, ledger)) as watching:
        await until(lambda: watching.state.watching)
        answers.clear()
        await until(lambda: not watching.state.watching)
        answers.set()
        await until(lambda: watching.state.watching)
        (tmp_path / "a.tif").write_bytes(b"1")
        await ledger.until(lambda: ledger.paths == ["a.tif"])


async def test_a_watcher_of_a_hanging_drive_keeps_no_process_alive(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys, time\nfrom pathlib import Path\n"
        "from edge_agent.watch.look import Looker\nfrom tests.watched import Ledger, watcher\n"
        "Looker.root_identity = lambda *_: time.sleep(60)\n"
        "async def main():\n"
        "    task = asyncio.create_task(watcher(Path(sys.argv[1]), Ledger()).run())\n"
        "    await asyncio.wait([task], timeout=0.2)\n    task.cancel()\n    await asyncio.wait([task])\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    )
    try:
        async with asyncio.timeout(20):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
