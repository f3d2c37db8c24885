"""A folder's frame files in the order in which `run --once` judges them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edge_agent.watch import frame_files

if TYPE_CHECKING:
    from pathlib import Path


def test_files_come_by_time_then_as_a_person_would_sort_them_and_side_cars_only_count(tmp_path: Path) -> None:
    (tmp_path / "S2").mkdir()
    times = {"S2/f10.tif": 5, "S2/f9.tif": 5, "S2/f9.txt": 5, "late.tif": 9, "early.tif": 1, "notes.txt": 1, "scratch.tif.tmp": 1}
    for name, seconds in times.items():
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (seconds, seconds))
    found = frame_files(tmp_path, ("**/*.tif",), (), "sem")
    assert [(number, file.path) for number, file in found] == [(1, "early.tif"), (2, "S2/f9.tif"), (4, "S2/f10.tif"), (5, "late.tif")]
    assert {file.stream for _, file in found} == {"sem"}
    assert frame_files(tmp_path, ("**/*.tif",), ("S2/*",), "sem")[-1][0] == 2
