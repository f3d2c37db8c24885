"""Frames are judged in the order of admission, whatever takes long or fails on the way; the journal is the real one."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest
from structlog.testing import capture_logs

from edge_agent.core.clock import SystemClock
from edge_agent.core.errors import FrameRejectedError, JournalFullError, PredictorUnavailableError
from edge_agent.core.frame import FileIdentity, SettledFile, SettleOutcome
from edge_agent.core.naming import NameRule
from edge_agent.core.portion import Portion
from edge_agent.core.prediction import ModelIdentity, Prediction
from edge_agent.core.telemetry import NoTelemetry
from edge_agent.core.verdict import DriftState, Verdict
from edge_agent.journal import Journal, JournalView
from edge_agent.observe import Metrics
from edge_agent.pipeline import Pipeline, StreamLine
from tests.an_agent import frame
from tests.calibrated_model import as_frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from edge_agent.core.frame import Frame
    from edge_agent.core.verdict import Kind, Observation


class Reader:
    """Makes frames instead of decoding them; `slow` and `bad` files behave so."""

    def __init__(self) -> None:
        self.slow: set[str] = set()
        self.bad: set[str] = set()
        self.missed: list[str] = []
        self.release = asyncio.Event()
        self.warmed = 0

    def warm(self) -> None:
        self.warmed += 1

    async def read(self, path: str, name: str, first: int = 0) -> Portion:
        if name in self.slow:
            await self.release.wait()
        if self.missed and self.missed[0] == name:
            self.missed.pop(0)
            raise FrameRejectedError(name, "vanished", "is gone", "nothing to do")
        if name in self.bad:
            raise FrameRejectedError(name, "truncated", "ends early", "write it again")
        return Portion((as_frame(frame(int(name.partition(".")[0]), (64, 64))),))

    async def close(self) -> None: ...


class Predictor:
    """Answers at once, or is away, or refuses one content."""

    model = ModelIdentity("fake", "1", "0" * 64)

    def __init__(self) -> None:
        self.away = 0
        self.refused: set[str] = set()
        self.warmed = 0

    def warm(self) -> None:
        self.warmed += 1

    async def start(self) -> None: ...
    async def check(self) -> None: ...
    async def stop(self) -> None: ...

    async def predict(self, frames: Sequence[Frame]) -> list[Prediction]:
        if self.away > 0:
            self.away -= 1
            raise PredictorUnavailableError("fake", "is away", "wait")
        for one in frames:
            if one.content_hash in self.refused:
                raise FrameRejectedError(one.content_hash, "rejected_by_model", "no member answers", "look at it")
        answer = np.full((1, 2, 3), 1 / 3, np.float32)
        return [Prediction(answer, np.ones((1, 2), np.float32), (1, 1), ("a", "b", "c"), self.model, 2, 0.001) for _ in frames]


class Judge:
    """Remembers what it was shown."""

    guarantee = "none: it only remembers"

    def __init__(self) -> None:
        self.seen: list[str] = []

    @property
    def open_kinds(self) -> list[Kind]:
        return []

    def update(self, observation: Observation) -> Verdict:
        self.seen.append(observation.ref.path)
        return Verdict(0.0, None, DriftState.UNCALIBRATED)

    def to_json(self) -> str:
        return json.dumps(self.seen)

    def restore(self, state: str) -> None:
        self.seen = json.loads(state)


class Line:
    """A pipeline on one stream, with its parts at hand."""

    def __init__(self, folder: Path, journal: Journal) -> None:
        self.reader, self.predictor, self.judge, self.journal = Reader(), Predictor(), Judge(), journal
        line = StreamLine("sem", folder, NameRule("none"), NameRule("none"), self.reader, self.predictor, self.judge, None, None)
        self.pipeline = Pipeline("agent", [line], journal, SystemClock(), NoTelemetry(), lambda: None, readers=4)

    async def admit(self, *numbers: int, size: int = 1) -> None:
        files = [FileIdentity("sem", f"{number}.tif", size, 1_000_000_000 + number) for number in numbers]
        await self.pipeline.admit([SettledFile(file, SettleOutcome.COMPLETE, 2_000_000_000) for file in files])

    def outcomes(self, folder: Path) -> dict[str, int]:
        (stream,) = JournalView(folder).status().streams
        return stream.outcomes


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Line]:
    journal = await Journal.open(folder, clock=SystemClock())
    line = Line(folder, journal)
    task = asyncio.create_task(line.pipeline.run())
    try:
        yield line
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await journal.close()


async def drained(line: Line) -> None:
    await asyncio.wait_for(line.pipeline.drained(), 20)


def names(*numbers: int) -> list[str]:
    return [f"{number}.tif" for number in numbers]


async def test_a_slow_first_file_is_still_judged_first(tmp_path: Path) -> None:
    async with running(tmp_path) as line:
        line.reader.slow = {"0.tif"}
        await line.admit(*range(8))
        await asyncio.sleep(0.2)  # time enough to do it wrong
        assert line.judge.seen == []
        line.reader.release.set()
        await drained(line)
        assert line.judge.seen == names(*range(8))


async def test_more_files_than_the_window_are_all_done(tmp_path: Path) -> None:
    async with running(tmp_path) as line:
        await line.admit(*range(300))
        await drained(line)
        assert line.judge.seen == names(*range(300))
        assert line.outcomes(tmp_path) == {"scored": 300}


async def test_a_bad_file_loses_only_itself(tmp_path: Path) -> None:
    async with running(tmp_path) as line:
        line.reader.bad = {"1.tif"}
        await line.admit(*range(4))
        await drained(line)
        assert line.judge.seen == names(0, 2, 3)
        assert line.outcomes(tmp_path) == {"scored": 3, "quarantined": 1}


@pytest.mark.parametrize(("away", "outcomes"), [([True, False], {"scored": 1}), ([True, False, False], {"quarantined": 1})])
async def test_a_folder_that_comes_back_between_a_read_and_the_look_for_it_costs_no_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, away: list[bool], outcomes: dict[str, int]
) -> None:
    """It is away at the first look and back at the second, but was away still when the file was looked for before that."""
    monkeypatch.setattr("edge_agent.pipeline.carrier.AWAY_S", 0.01)
    async with running(tmp_path) as line:
        line.reader.missed = names(*[0] * len(away))
        looks = iter(away)
        monkeypatch.setattr("edge_agent.pipeline.folder.Folder.is_away", lambda _: next(looks))
        await line.admit(0)
        await drained(line)
        assert line.outcomes(tmp_path) == outcomes


async def test_a_frame_the_model_refuses_does_not_spoil_those_asked_with_it(tmp_path: Path) -> None:
    async with running(tmp_path) as line:
        line.predictor.refused = {as_frame(frame(2, (64, 64))).content_hash}
        await line.admit(*range(5))
        await drained(line)
        assert line.judge.seen == names(0, 1, 3, 4)
        assert line.outcomes(tmp_path) == {"scored": 4, "quarantined": 1}


async def test_frames_wait_for_a_model_that_is_away_and_say_so(tmp_path: Path) -> None:
    async with running(tmp_path) as line:
        line.predictor.away = 3
        await line.admit(0, 1)
        while not line.pipeline.waiting_for:  # noqa: ASYNC110 - the pipeline tells /readyz, nobody else
            await asyncio.sleep(0.01)
        assert "is away" in line.pipeline.waiting_for["frames of sem"]
        await drained(line)
        assert line.judge.seen == names(0, 1)
        assert line.pipeline.waiting_for == {}


async def test_a_full_journal_is_tried_again_and_nothing_is_judged_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.pipeline.pipeline.FULL_S", 0.01)
    async with running(tmp_path) as line:
        commit, tries = line.journal.commit, []

        async def full_twice(work: object) -> int:
            tries.append(work)
            if len(tries) <= 2:
                raise JournalFullError("journal", "no room", "make some")
            return await commit(work)

        monkeypatch.setattr(line.journal, "commit", full_twice)
        await line.admit(0)
        await drained(line)
        assert len(tries) == 3
        assert line.judge.seen == names(0)
        assert line.outcomes(tmp_path) == {"scored": 1}


async def test_a_full_journal_is_told_of_once_however_often_smaller_writes_find_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.pipeline.pipeline.FULL_S", 0.01)
    async with running(tmp_path) as line:
        commit, tries = line.journal.commit, []

        async def full_for_long(work: object) -> int:
            tries.append(work)
            await line.pipeline.insist(line.journal.try_to_write)  # as the look for room does every 2 s
            if len(tries) <= 5:
                raise JournalFullError("journal", "no room", "make some")
            assert "no room" in line.pipeline.waiting_for["journal"], "whatever else was written meanwhile"
            return await commit(work)

        monkeypatch.setattr(line.journal, "commit", full_for_long)
        with capture_logs() as told:
            await line.admit(0)
            await drained(line)
        assert len(tries) == 6
        assert [entry["event"] for entry in told].count("the journal is full; frames wait") == 1
        assert line.pipeline.waiting_for == {}


async def test_what_was_admitted_but_not_committed_is_done_by_the_next_run(tmp_path: Path) -> None:
    async with running(tmp_path) as line:
        line.reader.slow = {"0.tif"}
        await line.admit(0, 1, 2)
    async with running(tmp_path) as again:
        await drained(again)
        assert again.judge.seen == names(0, 1, 2)
        assert await again.journal.drift_state("sem") == json.dumps(names(0, 1, 2))


async def test_a_touched_file_is_a_repeat(tmp_path: Path) -> None:
    async with running(tmp_path) as line:
        await line.admit(0)
        await drained(line)
        await line.admit(0, size=2)
        await drained(line)
        assert line.judge.seen == names(0)
        assert line.outcomes(tmp_path) == {"scored": 1, "repeat": 1}


async def test_a_file_rewritten_while_its_first_state_is_under_way_is_recognised_all_the_same(tmp_path: Path) -> None:
    async with running(tmp_path) as line:
        line.predictor.away = 2  # the first state waits for the model while the next two arrive
        await line.admit(0)
        await line.admit(0, size=2)
        await line.admit(0, size=3)
        await drained(line)
        assert line.judge.seen == names(0)
        assert line.outcomes(tmp_path) == {"scored": 1, "repeat": 2}


@pytest.mark.parametrize(("rule", "samples"), [(r"name:^(\d)", 3), ("none", 0)])
async def test_samples_are_counted_as_frames_go_from_one_to_the_next(tmp_path: Path, rule: str, samples: int) -> None:
    journal, metrics = await Journal.open(tmp_path, clock=SystemClock()), Metrics(["sem"], "jsonl", "1")
    line = StreamLine("sem", tmp_path, NameRule.parse(rule), NameRule("none"), Reader(), Predictor(), Judge(), None, None)
    pipeline = Pipeline("agent", [line], journal, SystemClock(), metrics, lambda: None)
    task = asyncio.create_task(pipeline.run())
    for number in (10, 11, 20, 21, 12):  # back to the first sample is a sample, too
        file = FileIdentity("sem", f"{number}.tif", 1, 1_000_000_000 + number)
        await pipeline.admit([SettledFile(file, SettleOutcome.COMPLETE, 2_000_000_000)])
    await asyncio.wait_for(pipeline.drained(), 20)
    assert metrics.registry.get_sample_value("edge_agent_samples_total", {"stream": "sem"}) == samples
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await journal.close()


async def test_a_stream_that_waits_keeps_no_other_waiting(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path, clock=SystemClock())
    stuck, free = Reader(), Reader()
    stuck.slow = {"0.tif"}
    judges = {"stuck": Judge(), "free": Judge()}
    lines = [
        StreamLine(name, tmp_path, NameRule("none"), NameRule("none"), reader, Predictor(), judges[name], None, None)
        for name, reader in (("stuck", stuck), ("free", free))
    ]
    pipeline = Pipeline("agent", lines, journal, SystemClock(), NoTelemetry(), lambda: None)
    task = asyncio.create_task(pipeline.run())
    for number in range(80):  # more than a window of each
        for name in judges:
            file = FileIdentity(name, f"{number}.tif", 1, 1_000_000_000 + number)
            await pipeline.admit([SettledFile(file, SettleOutcome.COMPLETE, 2_000_000_000)])
    async with asyncio.timeout(10):
        while len(judges["free"].seen) < 80:  # noqa: ASYNC110 - the judge tells nobody else
            await asyncio.sleep(0.01)
    assert judges["stuck"].seen == []
    stuck.release.set()
    await asyncio.wait_for(pipeline.drained(), 10)
    assert judges["stuck"].seen == names(*range(80))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await journal.close()


async def test_decoder_and_model_wake_up_while_a_file_settles(tmp_path: Path) -> None:
    async with running(tmp_path) as line:
        line.pipeline.expect("sem")
        assert (line.reader.warmed, line.predictor.warmed) == (1, 1)
