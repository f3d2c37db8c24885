"""What a scan remembers is what is there: folders that went leave nothing behind."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from edge_agent.watch import listing
from edge_agent.watch.listing import list_directory
from edge_agent.watch.patterns import PathFilter
from edge_agent.watch.scan import FolderScan
from tests.watched import Ledger

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def scan_of(root: Path) -> FolderScan:
    return FolderScan(str(root), "sem", PathFilter(("**/*.tif",), ()), Ledger())


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name / "deep").mkdir(parents=True)
        for folder in (root / name / "deep", root / name):
            os.utime(folder, (1, 1))
    os.utime(root, (2, 2))


def test_folders_that_went_are_forgotten(tmp_path: Path) -> None:
    scan = scan_of(tmp_path)
    make(tmp_path, "a", "b")
    scan.find_new(full=True)
    assert set(scan._seen) == {"", "a", "a/deep", "b", "b/deep"}
    shutil.rmtree(tmp_path / "a")
    make(tmp_path, "c")
    scan.find_new(full=True)
    assert set(scan._seen) == {"", "b", "b/deep", "c", "c/deep"}


def test_a_folder_that_cannot_be_listed_is_told_once_for_as_long_as_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = scan_of(tmp_path)
    make(tmp_path, "a", "b")

    def refusing(path: str):
        if path.endswith("a"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", refusing)
    with capture_logs() as lines:
        for full in (True, False, True, True):
            scan.find_new(full=full)
    assert [line["path"] for line in lines] == ["a"]
    monkeypatch.undo()
    shutil.rmtree(tmp_path / "a")
    scan.find_new(full=True)
    assert scan._refused == set()


def test_a_listing_holds_only_what_is_not_as_it_is_known(tmp_path: Path) -> None:
    for name in ("same.tif", "same.txt", "grown.tif", "new.tif", "new.txt", "alone.txt"):
        (tmp_path / name).write_bytes(b"12")
        os.utime(tmp_path / name, (7, 7))
    seen = (2, 7_000_000_000)
    known = {"same.tif": seen, "same.txt": seen, "grown.tif": (1, 7_000_000_000)}
    paths = PathFilter(("**/*.tif",), ())
    (directory,) = list_directory(str(tmp_path), "", paths, known)
    found = directory.files
    assert sorted(file.path for file in found) == ["grown.tif", "new.tif", "new.txt"]
    assert {file.path: file.companion_of for file in found}["new.txt"] == "new.tif"
    (directory,) = list_directory(str(tmp_path), "", paths)
    assert {file.path for file in directory.files} == {*known, "new.tif", "new.txt"}


def test_a_large_folder_is_listed_in_portions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PORTION", 10)
    names = {f"{number:02}.tif" for number in range(35)} | {"00.txt"}
    for name in names:
        (tmp_path / name).write_bytes(b"12")
    (tmp_path / "deep").mkdir()
    portions = list(list_directory(str(tmp_path), "", PathFilter(("**/*.tif",), ())))
    assert [len(portion.files) for portion in portions] == [10, 10, 10, 6]
    assert {file.path for portion in portions for file in portion.files} == names, "a side-car finds its image in an earlier portion"
    assert [name for portion in portions for name in portion.folders] == ["deep"]
    scan = scan_of(tmp_path)
    os.utime(tmp_path, (2, 2))
    assert {file.path for file in scan.find_new(full=True)} == names
    assert scan._seen[""].folders == ["deep"]
