"""Which of the known files are gone: a folder that is away tells nothing of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.agent.forgetting import Forgetting, absent
from edge_agent.core.clock import SystemClock
from edge_agent.core.frame import FileIdentity
from edge_agent.journal import Journal

if TYPE_CHECKING:
    from pathlib import Path

S = "sem"


def test_files_that_are_gone_are_told_from_those_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "there.tif").touch()
    (tmp_path / "file.tif").touch()
    paths = ["a/there.tif", "a/gone.tif", "gone/x.tif", "file.tif", "file.tif/x.tif", "nul\0.tif", "a/" + "x" * 300]
    assert absent(tmp_path, paths) == [False, True, True, False, True, False, False]


def test_a_root_that_is_away_or_empty_tells_nothing(tmp_path: Path) -> None:
    assert absent(tmp_path, ["a.tif"]) is None
    assert absent(tmp_path / "away", ["a.tif"]) is None


async def test_a_deleted_file_is_forgotten_after_the_retention_and_one_in_a_folder_that_is_away_is_not(tmp_path: Path) -> None:
    class Clock(SystemClock):
        at_ns = 0

        def now_ns(self) -> int:
            return self.at_ns

    clock = Clock()
    root = tmp_path / "images"
    root.mkdir()
    for name in ("kept.tif", "deleted.tif"):
        (root / name).touch()
    journal = await Journal.open(tmp_path / "state", clock=clock)
    forgetting = Forgetting(journal, clock, retention_s=10)
    try:
        await journal.adopt(S, [FileIdentity(S, name, 1, 1) for name in ("kept.tif", "deleted.tif")])
        root.rename(tmp_path / "away")
        for second in (0, 100):
            clock.at_ns = second * 10**9
            await forgetting.look(S, root)
        assert len(journal.in_directory(S, "")) == 2
        (tmp_path / "away").rename(root)
        (root / "deleted.tif").unlink()
        for second, files in ((101, 2), (110, 2), (112, 1)):
            clock.at_ns = second * 10**9
            await forgetting.look(S, root)
            assert len(journal.in_directory(S, "")) == files
        assert list(journal.in_directory(S, "")) == ["kept.tif"]
    finally:
        forgetting.close()
        await journal.close()
