"""Where a journal may live, and who may look at it."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
import sys
from pathlib import Path

import pytest

from edge_agent.core.clock import SystemClock
from edge_agent.core.errors import ConfigurationError, JournalError
from edge_agent.journal import Journal
from edge_agent.journal.lock import StateLock
from edge_agent.journal.place import network_file_system
from edge_agent.journal.schema import use_write_ahead_log


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


async def test_only_its_owner_may_look_into_a_state_directory(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows keeps rights elsewhere")
    journal = await Journal.open(tmp_path / "new" / "state", clock=SystemClock())
    await journal.close()
    assert stat.S_IMODE((tmp_path / "new" / "state").stat().st_mode) == 0o700


def test_a_state_directory_that_cannot_be_written_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()  # as unwritable to root as to anybody
    with pytest.raises(ConfigurationError, match="cannot be opened for writing") as refused:
        StateLock(tmp_path)
    assert refused.value.thing == str(tmp_path)
