"""Stacks go portion by portion: every frame once and in order, whatever happens between two portions; the journal is the real one."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from edge_agent.core.clock import SystemClock
from edge_agent.core.errors import FrameRejectedError
from edge_agent.core.frame import STILL_OPEN, FileIdentity, SettledFile, SettleOutcome
from edge_agent.core.naming import NameRule
from edge_agent.core.portion import Portion, RefusedFrame
from edge_agent.core.telemetry import NoTelemetry
from edge_agent.core.verdict import DriftState, Verdict
from edge_agent.journal import Journal, JournalView
from edge_agent.pipeline import Pipeline, StreamLine
from edge_agent.pipeline.line import Job
from tests.an_agent import frame
from tests.calibrated_model import as_frame
from tests.unit.pipeline.test_pipeline import Predictor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from edge_agent.core.verdict import Kind, Observation

PORTION = 4
BAD = -1
"""The content of a frame that cannot be used."""
FRAMES = {content: as_frame(frame(content, (64, 64))) for content in range(64)}


@dataclass
class Disk:
    """Files as lists of contents, read in portions; it notes what was asked for."""

    files: dict[str, list[int]] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    growing: set[str] = field(default_factory=set)
    stop_before: tuple[str, int] | None = None
    refused: dict[str, str] = field(default_factory=dict)

    async def read(self, path: str, name: str, first: int = 0) -> Portion:
        if self.stop_before is not None and name == self.stop_before[0] and first >= self.stop_before[1]:
            await asyncio.Event().wait()
        self.asked.append((name, first))
        if name in self.refused:
            raise FrameRejectedError(name, "unsupported", self.refused[name], "exclude it")
        if name not in self.files:
            raise FrameRejectedError(name, "vanished", "is gone", "nothing")
        await asyncio.sleep(0)
        contents = self.files[name]
        end = min(len(contents), first + PORTION)
        good = [
            replace(FRAMES[contents[place]], frame_index=place, frame_count=len(contents))
            for place in range(first, end)
            if contents[place] != BAD
        ]
        bad = [
            RefusedFrame(place, f"{place:064x}", "not_finite", "no numbers", "look")
            for place in range(first, end)
            if contents[place] == BAD
        ]
        return Portion(tuple(good), tuple(bad), end if end < len(contents) else None, name in self.growing)

    async def close(self) -> None: ...


class Judge:
    """Remembers what it was shown."""

    guarantee = "none: it only remembers"
    open_kinds: list[Kind] = []  # noqa: RUF012 - never changed

    def __init__(self) -> None:
        self.seen: list[list[str | int]] = []

    def update(self, observation: Observation) -> Verdict:
        self.seen.append([observation.ref.path, observation.ref.frame_index])
        return Verdict(0.0, None, DriftState.UNCALIBRATED)

    def to_json(self) -> str:
        return json.dumps(self.seen)


class Line:
    """A pipeline on one stream, with its parts at hand."""

    def __init__(self, folder: Path, journal: Journal, disk: Disk, readers: int = 2) -> None:
        self.folder, self.journal, self.disk, self.judge, self.predictor = folder, journal, disk, Judge(), Predictor()
        line = StreamLine("sem", folder, NameRule("none"), NameRule("none"), disk, self.predictor, self.judge, None, None)
        self.pipeline = Pipeline("agent", [line], journal, SystemClock(), NoTelemetry(), lambda: None, readers=readers)
        self._size = 0

    async def admit(self, *names: str, detail: str = "") -> None:
        self._size += 1
        files = [FileIdentity("sem", name, self._size, 1_000_000_000 + self._size) for name in names]
        await self.pipeline.admit([SettledFile(file, SettleOutcome.COMPLETE, 2_000_000_000, detail) for file in files])

    async def drained(self) -> None:
        await asyncio.wait_for(self.pipeline.drained(), 20)

    async def events(self, kind: str) -> list[dict[str, object]]:
        rows = await self.journal.unsent(1000)
        return [json.loads(row.event.data) for row in rows if row.event.type == f"edge.frame.{kind}.v1"]

    async def scored(self) -> list[tuple[object, object, object]]:
        return [(told["path"], told["generation"], told["frame_index"]) for told in await self.events("scored")]

    async def refused(self) -> list[tuple[object, object, object]]:
        return [(told["path"], told["reason"], told["frame_index"]) for told in await self.events("quarantined")]

    @property
    def outcomes(self) -> dict[str, int]:
        (stream,) = JournalView(self.folder).status().streams
        return stream.outcomes


@asynccontextmanager
async def running(folder: Path, disk: Disk, readers: int = 2) -> AsyncIterator[Line]:
    journal = await Journal.open(folder, clock=SystemClock())
    line = Line(folder, journal, disk, readers)
    task = asyncio.create_task(line.pipeline.run())
    try:
        yield line
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await journal.close()


async def until_judged(line: Line, count: int) -> None:
    async with asyncio.timeout(20):
        while len(line.judge.seen) < count:  # noqa: ASYNC110 - the judge is a fake that tells nobody
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.1)  # time enough for more


def frames_of(name: str, count: int, generation: int = 0, first: int = 0) -> list[tuple[object, object, object]]:
    return [(name, generation, place) for place in range(first, count)]


async def test_every_frame_of_a_stack_is_judged_in_order_before_the_next_file(tmp_path: Path) -> None:
    disk = Disk({"a": [1], "stack": list(range(10, 33)), "other": list(range(40, 49)), "z": [2]})
    async with running(tmp_path, disk) as line:
        await line.admit("a", "stack", "other", "z")
        await line.drained()
        assert await line.scored() == [*frames_of("a", 1), *frames_of("stack", 23), *frames_of("other", 9), *frames_of("z", 1)]
        assert line.outcomes == {"scored": 4}
        assert await line.journal.drift_state("sem") == line.judge.to_json()


async def test_portions_are_durable_one_by_one_and_a_restart_goes_on_behind_the_last(tmp_path: Path) -> None:
    disk = Disk({"stack": list(range(20)), "z": [30]}, stop_before=("stack", 9))
    async with running(tmp_path, disk) as line:
        await line.admit("stack", "z")
        await until_judged(line, 10)
        told = await line.scored()
        assert told == frames_of("stack", 10)
    disk.stop_before, disk.asked = None, []
    async with running(tmp_path, disk) as line:
        await line.drained()
        assert await line.scored() == [*frames_of("stack", 20), *frames_of("z", 1)]
        assert min(first for name, first in disk.asked if name == "stack") == 9  # the last frame that was told, and no earlier one
        assert line.judge.seen[0] == ["stack", 10]
        assert line.outcomes == {"scored": 2}


async def test_only_the_oldest_files_next_portion_is_read_ahead(tmp_path: Path) -> None:
    disk = Disk({"first": list(range(12)), "second": list(range(20, 40)), "third": list(range(20, 40))}, stop_before=("first", 3))
    async with running(tmp_path, disk) as line:
        await line.admit("first", "second", "third")
        await until_judged(line, 4)
        assert sorted(disk.asked) == [("first", 0), ("second", 0), ("third", 0)]


async def test_a_bad_frame_costs_only_itself(tmp_path: Path) -> None:
    disk = Disk({"stack": [0, 1, BAD, 3, 4, BAD, BAD, 7, 8, 9, BAD]})
    async with running(tmp_path, disk) as line:
        await line.admit("stack")
        await line.drained()
        assert [place for _, _, place in await line.scored()] == [0, 1, 3, 4, 7, 8, 9]
        assert await line.refused() == [("stack", "not_finite", place) for place in (2, 5, 6, 10)]
        assert line.outcomes == {"scored": 1}
        rows = [(row.event.type, json.loads(row.event.data)["frame_index"]) for row in await line.journal.unsent(100)]
        assert [place for _, place in rows] == list(range(11))  # told in the order of the file
        hashes = await line.journal.frame_hashes("sem", "stack", 0)
        assert sorted(hashes) == list(range(11))


async def test_bad_frames_are_told_once_when_the_stack_grows_behind_them(tmp_path: Path) -> None:
    disk = Disk({"stack": [0, BAD, BAD]})
    async with running(tmp_path, disk) as line:
        for grown in ([0, BAD, BAD], [0, BAD, BAD, 3], [0, BAD, BAD, 3, BAD, 5]):
            disk.files["stack"] = grown
            await line.admit("stack")
            await line.drained()
        assert await line.scored() == [("stack", 0, 0), ("stack", 0, 3), ("stack", 0, 5)]
        assert [place for _, _, place in await line.refused()] == [1, 2, 4]
        assert disk.asked[-1] == ("stack", 3)


async def test_a_stack_of_bad_frames_alone_is_in_quarantine_frame_by_frame(tmp_path: Path) -> None:
    disk = Disk({"stack": [BAD] * 6})
    async with running(tmp_path, disk) as line:
        await line.admit("stack")
        await line.drained()
        assert [place for _, _, place in await line.refused()] == list(range(6))
        assert line.outcomes == {"quarantined": 1}


async def test_a_frame_that_the_model_refuses_costs_only_itself(tmp_path: Path) -> None:
    disk = Disk({"stack": list(range(9)), "single": [20]})
    async with running(tmp_path, disk) as line:
        line.predictor.refused = {FRAMES[5].content_hash, FRAMES[20].content_hash}
        await line.admit("stack", "single")
        await line.drained()
        assert [place for _, _, place in await line.scored()] == [0, 1, 2, 3, 4, 6, 7, 8]
        assert await line.refused() == [("stack", "rejected_by_model", 5), ("single", "rejected_by_model", None)]
        assert line.outcomes == {"scored": 1, "quarantined": 1}


async def test_a_grown_stack_keeps_its_generation_and_only_its_last_known_frame_is_read_again(tmp_path: Path) -> None:
    disk = Disk({"stack": list(range(10))})
    async with running(tmp_path, disk) as line:
        await line.admit("stack")
        await line.drained()
        disk.asked = []
        disk.files["stack"] += range(10, 17)
        await line.admit("stack")
        await line.drained()
        assert await line.scored() == frames_of("stack", 17)
        assert min(first for _, first in disk.asked) == 9
        await line.admit("stack")
        await line.drained()
        assert line.outcomes == {"scored": 2, "repeat": 1}


async def test_a_rewritten_stack_is_a_new_generation(tmp_path: Path) -> None:
    disk = Disk({"stack": list(range(10))})
    async with running(tmp_path, disk) as line:
        await line.admit("stack")
        await line.drained()
        for contents, generation in ((list(range(20, 32)), 1), (list(range(30, 35)), 2)):  # longer, then shorter
            disk.files["stack"] = contents
            await line.admit("stack")
            await line.drained()
            assert (await line.scored())[-len(contents) :] == frames_of("stack", len(contents), generation)


async def test_a_stack_rewritten_between_two_portions_is_told_of_and_its_new_content_is_read_by_itself(tmp_path: Path) -> None:
    disk = Disk({"stack": list(range(10)), "z": [63]}, stop_before=("stack", 3))
    async with running(tmp_path, disk) as line:
        await line.admit("stack", "z")
        await until_judged(line, 4)
    disk.stop_before = None
    disk.files["stack"] = list(range(20, 30))
    async with running(tmp_path, disk) as line:
        line._size = 1
        await line.drained()
        assert await line.refused() == [("stack", "vanished", None)]
        await line.admit("stack")
        await line.drained()
        assert await line.scored() == [*frames_of("stack", 4), *frames_of("z", 1), *frames_of("stack", 10, 1)]
        assert line.outcomes == {"quarantined": 1, "scored": 2}


async def test_a_file_that_goes_between_two_portions_and_comes_back_is_gone_on_with(tmp_path: Path) -> None:
    disk = Disk({"stack": list(range(10))}, stop_before=("stack", 3))
    async with running(tmp_path, disk) as line:
        await line.admit("stack")
        await until_judged(line, 4)
    disk.stop_before = None
    contents = disk.files.pop("stack")
    async with running(tmp_path, disk) as line:
        await line.drained()
        assert await line.refused() == [("stack", "vanished", None)]
        disk.files["stack"] = contents
        await line.admit("stack")  # just as it was: it is new all the same
        await line.drained()
        assert await line.scored() == frames_of("stack", 10)


@pytest.mark.parametrize("readers", [1, 2])
async def test_a_growing_file_admitted_again_and_again_is_read_on_each_time(tmp_path: Path, readers: int) -> None:
    disk = Disk({"a": list(range(40, 60)), "growing": [], "z": [63]}, growing={"growing"})
    async with running(tmp_path, disk, readers) as line:
        line.predictor.away = 2  # so that several states wait behind each other
        await line.admit("a")
        for count in range(1, 12):
            disk.files["growing"] = list(range(3 * count))
            await line.admit("growing")
            if count % 3 == 1:
                await asyncio.sleep(0.02)
        await line.admit("z")
        await line.drained()
        assert await line.scored() == [*frames_of("a", 20), *frames_of("growing", 33), *frames_of("z", 1)]
        assert await line.refused() == []


async def test_a_file_without_an_image_yet_takes_no_generation(tmp_path: Path) -> None:
    disk = Disk({"growing": []}, growing={"growing"})
    async with running(tmp_path, disk) as line:
        for contents in ([], [], [1], [1, 2]):
            disk.files["growing"] = contents
            await line.admit("growing")
            await line.drained()
        assert await line.scored() == frames_of("growing", 2)
        assert line.outcomes == {"repeat": 2, "scored": 2}


async def test_what_was_committed_of_a_long_stack_is_let_go_of_while_the_rest_is_read(tmp_path: Path) -> None:
    disk = Disk({"stack": list(range(62))}, stop_before=("stack", 59))
    async with running(tmp_path, disk) as line:
        await line.admit("stack")
        await until_judged(line, 60)
        gc.collect()
        left = [one for one in gc.get_objects() if type(one) is Job and one.line.name == "sem"]
        assert len(left) <= 4  # of the twenty portions


async def test_a_file_that_was_written_over_for_months_takes_no_longer_than_another(tmp_path: Path) -> None:
    disk = Disk({"latest": [1]})
    async with running(tmp_path, disk) as line:
        questions = 0
        asked = line.journal.last_frame

        async def counted(stream: str, path: str, generation: int) -> tuple[int, int, str] | None:
            nonlocal questions
            questions += 1
            return await asked(stream, path, generation)

        line.journal.last_frame = counted  # type: ignore[method-assign]
        disk.files.pop("latest")
        for _ in range(30):  # thirty contents that nobody could use
            await line.admit("latest")
            await line.drained()
        disk.files["latest"] = [1]
        questions = 0
        await line.admit("latest")
        await line.drained()
        assert questions == 1
        assert await line.scored() == [("latest", 30, 0)]


async def test_what_takes_a_told_files_place_and_cannot_be_read_has_a_generation_of_its_own(tmp_path: Path) -> None:
    disk = Disk({"stack": list(range(6))})
    async with running(tmp_path, disk) as line:
        await line.admit("stack")
        await line.drained()
        told = disk.files.pop("stack")
        await line.admit("stack")
        await line.drained()
        assert [told["generation"] for told in await line.events("quarantined")] == [1]
        disk.files["stack"] = [*told, 6]
        await line.admit("stack")
        await line.drained()
        assert await line.scored() == frames_of("stack", 7)


async def test_an_open_file_that_cannot_be_read_is_told_of_once_a_reason_and_again_when_it_is_closed(tmp_path: Path) -> None:
    disk = Disk({"growing": [1]}, growing={"growing"})
    async with running(tmp_path, disk) as line:
        for reason, states in (("two stacks", 5), ("too many", 3)):
            for state in range(states):
                disk.refused["growing"] = f"{reason} of {state} images"
                await line.admit("growing", detail=STILL_OPEN)
                await line.drained()
        told = [(event["detail"], event["generation"]) for event in await line.events("quarantined")]
        assert told == [("two stacks of 0 images", 0), ("too many of 0 images", 1)]
        await line.admit("growing")  # its writer has closed it
        await line.drained()
        assert len(await line.refused()) == 3
        disk.refused.clear()
        await line.admit("growing", detail=STILL_OPEN)
        await line.drained()
        assert await line.scored() == [("growing", 3, 0)]
        assert line.outcomes == {"quarantined": 3, "repeat": 6, "scored": 1}
