"""What an agent's log and metrics say of members left out: each change once, whichever canary found it and whatever number it gave."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from structlog.testing import capture_logs

from edge_agent.agent import chores as chores_of
from edge_agent.agent.chores import Chores
from edge_agent.core.clock import SystemClock
from edge_agent.observe import Metrics
from tests.watched import until

if TYPE_CHECKING:
    from pathlib import Path


def predictor(*, stale: set[int] = frozenset(), missing: set[int] = frozenset(), said: str = "") -> Any:
    return SimpleNamespace(left_out=(frozenset(stale), frozenset(missing)), degradation=said, members=5)


def lines_of(*answers: Any) -> list[tuple[str, str]]:
    nothing: Any = None
    parts: Any = SimpleNamespace(lines=())
    chores = Chores(nothing, parts, nothing)
    with capture_logs() as lines:
        for answer in answers:
            chores._tell_degradation("tiny", answer)
    return [(line["log_level"], line.get("reason", "")) for line in lines]


def test_a_number_that_varies_from_canary_to_canary_is_no_news() -> None:
    found = lines_of(*(predictor(stale={1}, said=f"member 2 differs by {size}") for size in ("0.3", "0.31", "0.29")))
    assert found == [("warning", "member 2 differs by 0.3")]


def test_other_members_are_news_and_so_is_their_return() -> None:
    found = lines_of(predictor(), predictor(stale={1}, said="stale"), predictor(missing={1}, said="missing"), predictor(), predictor())
    assert found == [("warning", "stale"), ("warning", "missing"), ("info", "")]


def test_the_metrics_know_of_members_without_a_frame_and_keep_what_frames_say_while_no_canary_has_news() -> None:
    nothing: Any = None
    asked = predictor()
    metrics = Metrics(["sem", "other"], "jsonl", "0")
    lines = (SimpleNamespace(name="sem", predictor=asked), SimpleNamespace(name="other", predictor=predictor()))
    parts: Any = SimpleNamespace(lines=lines, metrics=metrics)
    chores = Chores(nothing, parts, nothing)

    def told(stream: str = "sem") -> list[float | None]:
        labels = ({"stream": stream, "state": state} for state in ("answering", "missing", "stale"))
        return [metrics.registry.get_sample_value("edge_agent_ensemble_members", label) for label in labels]

    chores._tell_degradation("tiny", asked)
    assert told() == [5, 0, 0]
    asked.left_out = (frozenset({0}), frozenset({1, 2}))
    chores._tell_degradation("tiny", asked)
    assert told() == [2, 2, 1]
    assert told("other") == [0, 0, 0]
    metrics.members("sem", 1, 3, 1)  # a frame that one more member cannot answer
    chores._tell_degradation("tiny", asked)
    assert told() == [1, 3, 1]


@pytest.mark.parametrize(("unheard_s", "asked"), [(0.0, 0), (60.0, 3)], ids=["it answers frames", "nobody asks it"])
async def test_a_model_that_answers_nobody_is_asked_at_once_and_one_that_answers_frames_is_left_to_them(
    monkeypatch: pytest.MonkeyPatch, unheard_s: float, asked: int
) -> None:
    monkeypatch.setattr(chores_of, "UNHEARD_S", 0.01)
    canaries = asyncio.Queue[None]()

    async def check() -> None:
        canaries.put_nowait(None)

    model = predictor()
    model.check, model.unheard_s = check, unheard_s
    parts: Any = SimpleNamespace(lines=(), health=SimpleNamespace(models={"tiny": ""}))
    nothing: Any = None
    task = asyncio.create_task(Chores(nothing, parts, SystemClock()).ask_canaries("tiny", model))
    with contextlib.suppress(TimeoutError):
        for _ in range(3):
            await asyncio.wait_for(canaries.get(), 10 if asked else 0.2)
            asked -= 1
    task.cancel()
    assert asked == 0


async def test_a_model_is_asked_as_soon_as_it_has_been_quiet_for_long_enough_though_its_last_answer_took_a_moment() -> None:
    class Clock(SystemClock):
        at_s = 0.0

        def monotonic_s(self) -> float:
            return self.at_s

    class Model:
        left_out = (frozenset[int](), frozenset[int]())
        degradation = ""
        heard_s = 0.0
        asked: ClassVar[list[float]] = []

        @property
        def unheard_s(self) -> float:
            return clock.at_s - self.heard_s

        async def check(self) -> None:
            self.asked.append(round(clock.at_s, 2))
            clock.at_s += 0.02
            self.heard_s = clock.at_s

    async def sleep(pause_s: float) -> None:
        clock.at_s += pause_s
        if clock.at_s > 9.0:
            raise asyncio.CancelledError

    clock, model = Clock(), Model()
    parts: Any = SimpleNamespace(lines=(), health=SimpleNamespace(models={"tiny": ""}))
    nothing: Any = None
    chores: Any = Chores(nothing, parts, clock)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(chores_of.asyncio, "sleep", sleep)
        with pytest.raises(asyncio.CancelledError):
            await chores.ask_canaries("tiny", model)
    assert model.asked == pytest.approx([2.0, 4.0, 6.0, 8.0], abs=0.2)


async def test_a_disk_that_is_all_but_full_is_told_of_and_the_journal_tried_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = asyncio.Event()

    async def insist(write: Any) -> None:
        await write()

    async def try_to_write() -> None:
        tried.set()

    nothing: Any = None
    free = [1 << 30]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free[0]))
    monkeypatch.setattr(chores_of, "ROOM_EVERY_S", 0.001)
    health = SimpleNamespace(disk="")
    parts: Any = SimpleNamespace(health=health, pipeline=SimpleNamespace(insist=insist), journal=SimpleNamespace(try_to_write=try_to_write))
    settings: Any = SimpleNamespace(agent=SimpleNamespace(place=tmp_path))
    task = asyncio.create_task(Chores(settings, parts, nothing).look_for_room())
    await asyncio.sleep(0.02)
    assert (health.disk, tried.is_set()) == ("", False)
    free[0] = 1_234_567
    await asyncio.wait_for(tried.wait(), 5)
    assert health.disk == f"1.2 MB are left on the disk that holds {tmp_path}"
    free[0] = 1 << 30
    await until(lambda: not health.disk)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
