"""A stream's line and its operators over a real journal, without an agent around them: for tests of orders."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.core.frame import Acquisition, FileIdentity, Frame, SettledFile, SettleOutcome
from edge_agent.core.naming import NameRule
from edge_agent.core.prediction import ModelIdentity, Prediction
from edge_agent.drift import Calibration, SequentialJudge
from edge_agent.journal import Commit, Execution, FinishedFile, FrameRecord, Journal, Outcome, operation
from edge_agent.observe import Metrics
from edge_agent.pipeline import Desk, Order, Orders, StreamLine
from edge_agent.pipeline.operators import Operators
from edge_agent.publish import Origin, alert, frame_scored
from tests.streams import FILAMENT, NOTHING, Stage, calibration

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from edge_agent.core.verdict import Observation

S = "sem"
MODEL = ModelIdentity("fake", "1", "0" * 64)
SEVERE = tuple(3 * shift for shift in FILAMENT)
WHO = {"who": "A. Curie", "why": "the new filament"}


@lru_cache(maxsize=1)
def fitted() -> Calibration:
    return calibration()


class Bench:
    """A stream's line, its journal and its operators, without reader and model: frames come scored."""

    agent = "pc7"

    def __init__(self, journal: Journal, folder: Path, desk: Desk, judge: SequentialJudge) -> None:
        self.journal = journal
        self.telemetry = Metrics([S], "jsonl", "1")
        self.orders = Orders(folder)
        none: Any = None
        rule = NameRule("none")
        self.line = StreamLine(
            S, folder, rule, rule, none, none, judge, None, None, calibration=fitted(), make_judge=SequentialJudge, desk=desk
        )
        self.operators = Operators(self.orders, {S: (self.line, asyncio.Lock())}, self)
        self.at_ns = 10**18
        self._asked = 0

    def now_ns(self) -> int:
        self.at_ns += 1_000_000
        return self.at_ns

    async def insist(self, write: Callable[[], Awaitable[Any]]) -> Any:
        return await write()

    def told(self, execution: Execution) -> None: ...

    async def feed(self, observations: Sequence[Observation]) -> list[dict[str, Any]]:
        """Judge and commit frames as a carrier does, and return what their events tell."""
        files = [SettledFile(FileIdentity(S, one.ref.path, 1, 1), SettleOutcome.COMPLETE, 7) for one in observations]
        done, events = [], []
        for admission, one in zip(await self.journal.admit(files), observations, strict=True):
            origin = Origin(self.agent, admission.file, 0, 7, self.now_ns())
            verdict = self.line.desk.heed(self.line.judge.update(one))
            frame = Frame(np.zeros((1, 1), np.uint8), 255.0, 0, 1, "c" * 64, Acquisition(), one.statistics)
            prediction = Prediction(np.ones((1, 5, 2), np.float32), np.ones((1, 5), np.float32), (1, 1), ("ebc", "powder"), MODEL, 5, 0.0)
            held = self.line.desk.is_held(origin.now_ns)
            scored = frame_scored(origin, frame, one, prediction, verdict, read_s=None, held=held)
            events += [scored, *(alert(origin, change, MODEL) for change in verdict.changes)]
            done.append(FinishedFile(admission, Outcome.SCORED, 0, (FrameRecord(0, "c" * 64, scored.id, scored.data, ((0.1,),)),)))
        await self.journal.commit(Commit(tuple(done), {S: self.line.judge.to_json()}, tuple(events)))
        return [json.loads(event.data) | {"type": event.type} for event in events]

    def order(self, verb: str, **about: Any) -> Order:
        self._asked += 1
        order = Order.model_validate({"verb": verb, "stream": S, "asked_at_ns": self._asked, **WHO, **about})
        self.orders.give(order)
        return order

    async def answer(self, order: Order) -> operation.Word:
        word = await self.journal.look(partial(operation.word, order_id=order.id))
        assert word is not None
        return word

    async def said(self, verb: str, **about: Any) -> operation.Word:
        order = self.order(verb, **about)
        await self.operators.attend()
        assert self.orders.waiting() == []
        return await self.answer(order)

    @property
    def is_held(self) -> bool:
        """What the metric says."""
        return self.telemetry.registry.get_sample_value("edge_agent_held", {"stream": S}) == 1

    async def events(self, kind: str = "") -> list[dict[str, Any]]:
        rows = await self.journal.unsent(100_000)
        return [json.loads(row.event.data) | {"type": row.event.type} for row in rows if kind in row.event.type]


class Clock:
    def now_ns(self) -> int:
        return 10**18

    def monotonic_s(self) -> float:
        return 0.0


@asynccontextmanager
async def bench(folder: Path) -> AsyncIterator[Bench]:
    """A run: everything it knows comes from the journal."""
    from edge_agent.agent.stands import stands_by

    journal = await Journal.open(folder, clock=Clock())
    stands = await stands_by(journal, S, fitted())
    judge = SequentialJudge(stands.calibration)
    state = await journal.drift_state(S)
    if state is not None:
        judge.restore(state)
    try:
        yield Bench(journal, folder, stands.desk, judge)
    finally:
        await journal.close()


def samples(stage: Stage, number: int, shift: tuple[float, ...] = NOTHING) -> list[Observation]:
    return [one for place in range(number) for one in stage.sample(8, ("ebc", "powder")[place % 2], shift)]


async def in_alarm(made: Bench, stage: Stage) -> str:
    told = await made.feed(samples(stage, 4) + samples(stage, 2, SEVERE))
    opened = [event for event in told if event["type"] == "edge.alert.opened.v1"]
    assert len(opened) == 1, "the change must be an episode, or nothing would be proved"
    return str(opened[0]["episode"])
