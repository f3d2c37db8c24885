"""Carries operators' orders out, between frames and each in one transaction, and ends what was set for a time."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

import structlog

from edge_agent.drift.rebasing import SAMPLES_TO_REBASE, count_samples
from edge_agent.journal import Execution, Standing, Word, operation
from edge_agent.pipeline.decide import Case, Decision, RefusedError, decide
from edge_agent.pipeline.since import Since, frames_since
from edge_agent.publish import baseline_changed, hold_changed
from edge_agent.publish.alerts import TYPES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from edge_agent.core.telemetry import Telemetry
    from edge_agent.journal import Journal
    from edge_agent.pipeline.line import StreamLine
    from edge_agent.pipeline.orders import Order, Orders

T = TypeVar("T")
log = structlog.get_logger(__name__)

LOOK_S = 0.5
"""Time between two looks for orders."""
CONFIRM_S = 60.0
"""Time between two looks whether a provisional baseline is confirmed."""
ITSELF = "edge-agent"
"""Who ends a hold whose time is over and confirms a provisional baseline."""


class Around(Protocol):
    """What carrying orders out needs of the pipeline."""

    agent: str
    journal: Journal
    telemetry: Telemetry

    def now_ns(self) -> int:
        """The time, nanoseconds since the epoch."""
        ...

    async def insist(self, write: Callable[[], Awaitable[T]]) -> T:
        """Try a write until the journal has room."""
        ...

    def told(self, execution: Execution) -> None:
        """Hear what became durable."""
        ...


class Operators:
    """Between operators and the streams' lines.

    Args:
        orders: where operators leave them.
        lines: by name, each with a lock that is held while its frames are judged.
        around: the pipeline.
    """

    def __init__(self, orders: Orders, lines: Mapping[str, tuple[StreamLine, asyncio.Lock]], around: Around) -> None:
        self._orders = orders
        self._lines = lines
        self._around = around

    async def run(self) -> None:
        """Carry orders out until cancelled."""
        looks = 0
        while True:
            await self.attend()
            if looks % round(CONFIRM_S / LOOK_S) == 0:
                for line, lock in self._lines.values():
                    await self._confirm(line, lock)
            looks += 1
            await asyncio.sleep(LOOK_S)

    async def attend(self) -> None:
        """Carry out the orders that wait now, oldest first, and end holds whose time is over."""
        for order in await asyncio.to_thread(self._orders.waiting):
            await self._obey(order)
            await asyncio.to_thread(self._orders.done, order)
        for line, lock in self._lines.values():
            await self._expire(line, lock)

    async def _obey(self, order: Order) -> None:
        around = self._around
        if await around.journal.look(lambda connection: operation.word(connection, order.id)) is not None:
            return  # it was committed by a run that ended before it took the file away
        named = order.episode
        episode = await around.journal.look(lambda connection: operation.episode(connection, named)) if named else None
        stream = order.stream or (str(episode["stream"]) if episode else "")
        if named and (episode is None or episode["stream"] != stream):
            await self._refuse(order, stream, f"no episode {named} is known{f' on stream {stream}' if order.stream else ''}")
        elif stream not in self._lines:
            await self._refuse(order, stream, f"stream {stream} is not configured here; known: {', '.join(self._lines)}")
        else:
            line, lock = self._lines[stream]
            async with lock:
                await self._decide(order, line)

    async def _decide(self, order: Order, line: StreamLine) -> None:
        around = self._around
        standing = line.desk.standing or Standing(line.name)
        named = order.episode  # its newest word, now that no frame is being judged
        episode = await around.journal.look(lambda connection: operation.episode(connection, named)) if named else None
        try:
            decision = await decide(Case(around.agent, order, line, around.journal, standing, around.now_ns(), episode))
        except RefusedError as refused:
            await self._refuse(order, line.name, str(refused))
        else:
            await self._execute(line, decision)

    async def _execute(self, line: StreamLine, decision: Decision) -> None:
        execution = decision.execution
        await self._around.insist(lambda: self._around.journal.execute(execution))
        take_over(line, decision)
        log.warning("ordered", stream=line.name, verb=execution.word.verb, who=execution.word.who, answer=execution.word.answer)
        self._around.told(execution)
        self._around.telemetry.open_episodes(line.name, line.desk.calling(line.judge.open_kinds))
        self._around.telemetry.held(line.name, held=line.desk.is_held(self._around.now_ns()))

    async def _refuse(self, order: Order, stream: str, answer: str) -> None:
        now_ns = self._around.now_ns()
        word = Word(order.id, stream, order.verb, order.who, order.why, order.asked_at_ns, now_ns, applied=False, answer=answer)
        await self._around.insist(lambda: self._around.journal.execute(Execution(word)))
        log.warning("refused", stream=stream, verb=order.verb, who=order.who, answer=answer)

    async def _expire(self, line: StreamLine, lock: asyncio.Lock) -> None:
        """Tell that a hold has ended whose time is over; the frames knew it already."""
        async with lock:
            now_ns, standing, hold = self._around.now_ns(), line.desk.standing, line.desk.hold
            if standing is None or hold is None or line.desk.is_held(now_ns):
                return
            why = f"the time that {hold.who} set for it is over"
            word = self._own_word(line.name, "release", str(hold.since_ns), why, now_ns)
            event = hold_changed(
                self._around.agent, line.name, now_ns, order_id=word.id, held=False, operator=ITSELF, reason=why, until_ns=None
            )
            await self._execute(line, Decision(Execution(word, replace(standing, hold=None), events=(event,))))

    async def _confirm(self, line: StreamLine, lock: asyncio.Lock) -> None:
        """A provisional baseline is one no longer once as many samples as made it were judged by it without an alarm."""
        standing, calibration = line.desk.standing, line.calibration
        if standing is None or not standing.provisional or standing.baseline is None or calibration is None:
            return
        since = Since(standing.since_seq + 1, "it is in force")
        look = partial(frames_since, stream=line.name, since=since, calibration=calibration, in_control=True)
        if count_samples(await self._around.journal.look(look)) < SAMPLES_TO_REBASE:
            return
        async with lock:
            if line.desk.standing != standing:
                return
            now_ns, why = self._around.now_ns(), f"{SAMPLES_TO_REBASE} samples were judged by it without an alarm"
            word = self._own_word(line.name, "confirm", f"{standing.baseline}{standing.since_seq}", why, now_ns)
            event = baseline_changed(
                self._around.agent,
                line.name,
                now_ns,
                order_id=word.id,
                change="confirmed",
                operator=ITSELF,
                reason=why,
                baselines=(standing.baseline, standing.baseline),
                samples=None,
                provisional=False,
                episode=None,
            )
            await self._execute(line, Decision(Execution(word, replace(standing, provisional=False), events=(event,))))

    @staticmethod
    def _own_word(stream: str, verb: str, about: str, why: str, now_ns: int) -> Word:
        """What the agent does by itself, once: its id is made of what it is about."""
        identity = hashlib.sha256(f"{stream}\0{verb}\0{about}".encode()).hexdigest()[:32]
        return Word(identity, stream, verb, ITSELF, why, now_ns, now_ns, applied=True, answer=f"{verb}: {why}")


def take_over(line: StreamLine, decision: Decision) -> None:
    """Let the line's next frames heed what was committed."""
    execution = decision.execution
    if decision.judge is not None:
        line.judge = decision.judge
    if execution.standing is not None:
        line.desk.standing = execution.standing
    for event in execution.events:
        if event.type in TYPES.values():
            line.desk.note(json.loads(event.data))
