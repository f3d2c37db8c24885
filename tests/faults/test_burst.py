"""Tens of thousands of files at once: more events than the kernel holds, and every file gets its one place in the order all the same."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from edge_agent.core.clock import SystemClock
from edge_agent.core.telemetry import Telemetry
from edge_agent.frames import completeness
from edge_agent.journal import Journal
from edge_agent.watch import FolderWatcher, WatchSettings
from tests.an_agent import frame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge_agent.core.frame import Admission, FileIdentity, SettledFile

FILES = int(os.environ.get("EDGE_AGENT_TEST_BURST", "20000"))
"""A hundred thousand with EDGE_AGENT_TEST_BURST=100000, which takes minutes; the kernel's queue of 16,384 events overflows with fewer."""
FOLDERS = 50
PATIENCE_S = 60 + FILES / 200


class Admissions:
    """Journals what settles, as the pipeline does."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.made: list[Admission] = []
        self.all = asyncio.Event()

    async def admit(self, files: Sequence[SettledFile]) -> None:
        self.made += await self._journal.admit(files)
        if len(self.made) >= FILES:
            self.all.set()

    def expect(self, stream: str) -> None:
        """Nobody is to be woken up."""

    async def adopt(self, stream: str, files: Sequence[FileIdentity]) -> None:
        raise AssertionError("the folder was empty")

    async def begin(self, stream: str) -> None:
        await self._journal.begin(stream)


def write(folder: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(frame(1, (24, 24))).save(buffer, "TIFF")
    for place in range(FOLDERS):
        sample = folder / f"S{place:03d}"
        sample.mkdir()
        for number in range(FILES // FOLDERS):
            (sample / f"{number:05d}.tif").write_bytes(buffer.getvalue())


@pytest.mark.timeout(2 * PATIENCE_S)
async def test_files_that_come_all_at_once_are_admitted_each_once(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    journal = await Journal.open(tmp_path / "state", clock=SystemClock())
    admissions = Admissions(journal)
    settings = WatchSettings("sem", images, settle_s=0.3, scan_interval_s=1.0)
    watcher = FolderWatcher(
        settings, known=journal, admissions=admissions, is_complete=completeness, clock=SystemClock(), telemetry=Telemetry()
    )
    await watcher.prepare()  # stock is taken of the empty folder: what comes from now on is new
    watching = asyncio.create_task(watcher.run())
    try:
        await asyncio.to_thread(write, images)
        await asyncio.wait_for(admissions.all.wait(), PATIENCE_S)
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        await journal.close()
    seqs = [admission.seq for admission in admissions.made]
    assert seqs == list(range(1, FILES + 1)), "each has its own number, in the order in which they were handed over"
    assert len({admission.file.path for admission in admissions.made}) == FILES
    assert all(admission.generation == 0 for admission in admissions.made)
