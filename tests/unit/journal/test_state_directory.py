"""Where a journal may live, and who may look at it."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
import sys
from pathlib import Path

import pytest
import structlog

from edge_agent.core.clock import SystemClock
from edge_agent.core.errors import ConfigurationError, JournalError
from edge_agent.journal import Journal
from edge_agent.journal.lock import StateLock
from edge_agent.journal.place import network_file_system
from edge_agent.journal.schema import use_write_ahead_log
from edge_agent.publish import JsonLinesSink, agent_heartbeat

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps rights in the profile, which the folder inherits")


def test_a_disk_without_a_write_ahead_log_is_refused() -> None:
    with (
        contextlib.closing(sqlite3.connect(":memory:")) as connection,
        pytest.raises(JournalError, match=r"no write-ahead log \(but memory\)"),
    ):
        use_write_ahead_log(connection, Path("journal.sqlite3"))


def test_a_state_directory_on_a_network_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mount:
        def __init__(self, mountpoint: str, fstype: str, opts: str = "rw") -> None:
            self.mountpoint, self.fstype, self.opts = mountpoint, fstype, opts

    mounts = [
        Mount("/", "ext4"),
        Mount("/mnt", "nfs4"),
        Mount("/mnt/local", "xfs"),
        Mount("/s", "fuse.sshfs"),
        Mount("/z", "x", "rw,remote"),
    ]
    monkeypatch.setattr("psutil.disk_partitions", lambda **_: mounts)
    kinds = {place: network_file_system(Path(place)) for place in ("/a", "/mnt/b", "/mnt/local/c", "/s", "/mntx", "/z/y")}
    assert kinds == {"/a": None, "/mnt/b": "nfs4", "/mnt/local/c": None, "/s": "sshfs", "/mntx": None, "/z/y": "x"}


async def test_a_state_directory_on_a_network_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.journal.place.network_file_system", lambda path: "cifs")
    with pytest.raises(ConfigurationError, match=r"network file system \(cifs\)"):
        await Journal.open(tmp_path, clock=SystemClock())


def modes(place: Path) -> dict[str, int]:
    return {path.relative_to(place).as_posix(): stat.S_IMODE(path.lstat().st_mode) for path in (place, *place.rglob("*"))}


@posix_only
async def test_only_its_owner_may_look_into_a_state_directory(tmp_path: Path) -> None:
    state_dir = tmp_path / "new" / "state"
    journal = await Journal.open(state_dir, clock=SystemClock())
    sink = JsonLinesSink(state_dir / "events", 1e9)
    await journal.append([agent_heartbeat("agent", "sem", 0, "ok", "")])
    await sink.recover(journal.journal_id, await journal.last_seq())
    await sink.publish(await journal.unsent(10))
    found = modes(state_dir)
    assert {name for name in found if name.startswith("journal")} == {"journal.sqlite3", "journal.sqlite3-wal", "journal.sqlite3-shm"}
    assert {name for name, mode in found.items() if mode & 0o077} == set()
    await sink.close()
    await journal.close()


@posix_only
async def test_one_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("another's")
    state_dir = tmp_path / "state"
    (state_dir / "events").mkdir(parents=True)
    (state_dir / "events" / "2026-01-01.jsonl").write_text("")
    (state_dir / "evidence").symlink_to(tmp_path / "precious")
    (state_dir / "journal.sqlite3").touch()
    for path in (state_dir, state_dir / "events", tmp_path / "precious", *state_dir.rglob("*.*")):
        path.chmod(0o775 if path.is_dir() else 0o664)
    with structlog.testing.capture_logs() as lines:
        await (await Journal.open(state_dir, clock=SystemClock())).close()
    assert {name for name, mode in modes(state_dir).items() if mode & 0o077} == {"evidence"}, "a link has no rights of its own"
    assert stat.S_IMODE((tmp_path / "precious").stat().st_mode) == 0o664
    assert "was open to others and is now its owner's only" in lines[0]["event"]


@posix_only
async def test_a_folder_with_other_things_in_it_keeps_its_rights_and_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("")
    for path in (tmp_path, tmp_path / "thesis.txt"):
        path.chmod(0o755)
    with structlog.testing.capture_logs() as lines:
        await (await Journal.open(tmp_path, clock=SystemClock())).close()
    found = modes(tmp_path)
    assert (found["."], found["thesis.txt"], found["journal.sqlite3"]) == (0o755, 0o755, 0o600)
    assert "other accounts may look into" in lines[0]["event"]


def test_a_state_directory_that_cannot_be_written_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()  # as unwritable to root as to anybody
    with pytest.raises(ConfigurationError, match="cannot be opened for writing") as refused:
        StateLock(tmp_path)
    assert refused.value.thing == str(tmp_path)
