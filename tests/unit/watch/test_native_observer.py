"""What watchdog does when folders come and go under it must neither end its threads nor reach standard error."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.watch import folder
from edge_agent.watch.native import Hints, NativeObserver
from tests.watched import Ledger, Told, running, until, watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


@pytest.fixture
def died(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What ended a thread during the test."""
    ends: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: ends.append(repr(args.exc_value)))
    return ends


@pytest.fixture
def strictly() -> Iterator[None]:
    """Watchdog's warnings are errors, whatever the test run ignores of them; what it ignores of others' stays ignored."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


@pytest.mark.usefixtures("strictly")
def test_a_folder_that_leaves_and_comes_back_is_seen_twice_and_told_on(tmp_path: Path, died: list[str]) -> None:
    root, hints = tmp_path / "root", Hints(lambda: None)
    (root / "S1").mkdir(parents=True)
    observer = NativeObserver(root, hints)
    observer.start()
    try:
        (root / "S1").rename(tmp_path / "S1")
        (tmp_path / "S1").rename(root / "S1")  # the kernel's watch went along: watchdog adds a second callback to it
        (root / "S1" / "a.tif").write_bytes(b"1")
        _wait_for_hint(hints, "S1/a.tif")
        assert observer.is_alive()
    finally:
        observer.stop()
    assert died == []


@pytest.mark.usefixtures("strictly")
def test_a_folder_made_while_its_parent_is_added_is_seen_twice_and_told_on(
    tmp_path: Path, died: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from watchdog.observers.inotify import InotifyWatchGroup

    add = InotifyWatchGroup._add_callback

    def add_and_make_one_below(group: InotifyWatchGroup, path: bytes) -> None:
        add(group, path)
        if path.endswith(b"S2"):
            (tmp_path / "S2" / "deep").mkdir()  # now both the walk under way and an event will name it

    monkeypatch.setattr(InotifyWatchGroup, "_add_callback", add_and_make_one_below)
    hints = Hints(lambda: None)
    observer = NativeObserver(tmp_path, hints)
    observer.start()
    try:
        (tmp_path / "S2").mkdir()
        _wait_for((tmp_path / "S2" / "deep").is_dir)
        (tmp_path / "S2" / "deep" / "a.tif").write_bytes(b"1")
        _wait_for_hint(hints, "S2/deep/a.tif")
        assert observer.is_alive()
    finally:
        observer.stop()
    assert died == []


@pytest.mark.usefixtures("strictly")
def test_other_warnings_are_heard_as_before(tmp_path: Path) -> None:
    observer = NativeObserver(tmp_path, Hints(lambda: None))
    observer.start()
    observer.stop()
    with pytest.raises(RuntimeWarning, match="Callback with id"):
        warnings.warn("Callback with id '1' already exists for watch 2", RuntimeWarning, stacklevel=1)
    for message, category in (
        ("Callback with id '1' does not exist", RuntimeWarning),
        ("Callback with id '1' already exists", UserWarning),
    ):
        with pytest.raises(category):
            warnings.warn_explicit(message, category, "inotify.py", 1, module="watchdog.observers.inotify")


async def test_without_an_inotify_instance_left_the_folder_is_polled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left() -> int:
        ctypes.set_errno(errno.EMFILE)
        return -1

    monkeypatch.setattr("watchdog.observers.inotify_c.inotify_init", none_left)
    ledger = Ledger()
    async with running(watcher(tmp_path, ledger, observer="native")) as watching:
        (tmp_path / "a.tif").write_bytes(b"1")
        await ledger.until(lambda: ledger.paths)
        assert "inotify instance limit reached" in watching.state.reason


@pytest.mark.usefixtures("strictly")
async def test_folders_that_vanish_while_they_are_added_end_no_thread(tmp_path: Path, died: list[str]) -> None:
    hints, end = Hints(lambda: None), tmp_path / "end"
    observer = NativeObserver(tmp_path, hints)
    observer.start()
    try:
        for turn in range(300):
            (tmp_path / f"S{turn % 3}" / "deep").mkdir(parents=True)
            (tmp_path / f"S{turn % 3}" / "deep").rename(tmp_path / f"moved{turn % 3}")
            (tmp_path / f"moved{turn % 3}").rmdir()
            (tmp_path / f"S{turn % 3}").rmdir()
        end.mkdir()
        await until(lambda: not observer.is_alive() or os.fsencode(end) in _watched(observer))
        if not observer.is_alive():  # watchdog may lose track of folders that are replaced this fast
            assert hints.collect()[1], "a scan makes up for it"
    finally:
        observer.stop()
    assert died == []


def test_a_failure_of_watchdogs_reader_is_a_dead_observer_and_no_traceback(tmp_path: Path, died: list[str]) -> None:
    (tmp_path / "S1").mkdir()
    hints = Hints(lambda: None)
    observer = NativeObserver(tmp_path, hints)
    observer.start()
    before = threading.active_count()
    _forget(observer, tmp_path / "S1")
    (tmp_path / "S1").rmdir()
    _wait_for(lambda: not observer.is_alive())
    assert hints.collect()[1], "a scan makes up for it"
    observer.stop()
    _wait_for(lambda: threading.active_count() < before)
    assert died == []


def test_an_observer_whose_books_are_wrong_can_be_stopped_and_leaves_no_thread(tmp_path: Path, died: list[str]) -> None:
    before = threading.active_count()
    for name in ("S1", "S2"):
        (tmp_path / name).mkdir()
    observer = NativeObserver(tmp_path, Hints(lambda: None))
    observer.start()
    for name in ("S1", "S2"):
        _forget(observer, tmp_path / name)
    observer.stop()
    _wait_for(lambda: threading.active_count() <= before)
    assert died == []


async def test_a_watcher_goes_on_after_such_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, died: list[str]) -> None:
    monkeypatch.setattr(folder, "GUARD_S", 0.05)
    (tmp_path / "S1").mkdir()
    ledger, told = Ledger(), Told()
    async with running(watcher(tmp_path, ledger, observer="native", scan_interval_s=60, told=told)) as watching:
        await until(lambda: watching._native is not None)
        _forget(watching._native, tmp_path / "S1")
        (tmp_path / "S1").rmdir()
        await until(lambda: told.restarts)
        (tmp_path / "a.tif").write_bytes(b"1")
        await ledger.until(lambda: ledger.paths == ["a.tif"])
    assert died == []


def _forget(observer: NativeObserver, path: Path) -> None:
    """Bring watchdog's books into the state in which races of moves leave them."""
    (emitter,) = observer._observer.emitters
    del emitter._inotify._active_callbacks_by_path[os.fsencode(path)]


def _watched(observer: NativeObserver) -> list[bytes]:
    (emitter,) = observer._observer.emitters
    return list(emitter._inotify._active_callbacks_by_path)


def _wait_for_hint(hints: Hints, path: str) -> None:
    told: dict[str, bool] = {}

    def is_told() -> bool:
        told.update(hints.collect()[0])
        return path in told

    _wait_for(is_told)


def _wait_for(condition: Callable[[], Any]) -> None:
    waiting = threading.Event()
    for _ in range(1000):
        if condition():
            return
        waiting.wait(0.01)
    raise AssertionError("it never came")
