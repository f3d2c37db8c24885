"""All streams' carriers around one journal: admission in front, metrics and listeners behind."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, TypeVar

import structlog

from edge_agent.core.errors import JournalFullError
from edge_agent.pipeline.carrier import Carrier
from edge_agent.pipeline.operators import Operators

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from edge_agent.core.event import Event
    from edge_agent.core.frame import FileIdentity, SettledFile
    from edge_agent.core.protocols import Clock
    from edge_agent.core.telemetry import Telemetry
    from edge_agent.journal import Execution, Journal
    from edge_agent.pipeline.conclude import Conclusion
    from edge_agent.pipeline.line import Job, StreamLine
    from edge_agent.pipeline.orders import Orders

T = TypeVar("T")
log = structlog.get_logger(__name__)

FULL_S = 1.0
"""Pause between two tries at a journal without room."""


class Pipeline:
    """Takes settled files from the watchers and carries every frame to the journal.

    Args:
        agent: the agent's name.
        lines: one for each stream.
        journal: where results become durable.
        clock: the time.
        telemetry: told of every step.
        wake_publisher: called when new events are committed.
        on_event: called with every event once it is committed.
        readers: files of a stream that are decoded at a time.
        orders: where operators leave orders; None takes none.
    """

    def __init__(
        self,
        agent: str,
        lines: Sequence[StreamLine],
        journal: Journal,
        clock: Clock,
        telemetry: Telemetry,
        wake_publisher: Callable[[], None],
        on_event: Callable[[Event], None] | None = None,
        readers: int = 1,
        orders: Orders | None = None,
    ) -> None:
        self.agent = agent
        self.journal = journal
        self.telemetry = telemetry
        self._clock = clock
        self._wake_publisher = wake_publisher
        self._on_event = on_event
        self._carriers = {line.name: Carrier(line, self, readers) for line in lines}
        held = {line.name: (line, self._carriers[line.name].judging) for line in lines}
        self._operators = None if orders is None else Operators(orders, held, self)
        self._heeded = asyncio.Event()
        self._writes = itertools.count()
        self._writes_waiting: dict[int, str] = {}
        self._samples: dict[str, str] = {}

    async def run(self) -> None:
        """Carry frames until cancelled; nothing that was admitted is lost by that. Orders that wait come before the first frame."""
        if self._operators is not None:
            await self._operators.attend()
        self._heeded.set()
        async with asyncio.TaskGroup() as tasks:
            if self._operators is not None:
                tasks.create_task(self._operators.run())
            for carrier in self._carriers.values():
                tasks.create_task(carrier.run())

    async def drained(self) -> None:
        """Wait until everything admitted so far is committed, and the orders that waited at the start are carried out."""
        if self._operators is not None:
            await self._heeded.wait()
        for carrier in self._carriers.values():
            await carrier.drained()

    @property
    def waiting_for(self) -> dict[str, str]:
        """What keeps frames waiting, by part, for /readyz."""
        waits = {f"frames of {name}": carrier.waits_for for name, carrier in self._carriers.items()}
        waits["journal"] = next(iter(self._writes_waiting.values()), "")
        return {part: reason for part, reason in waits.items() if reason}

    # What the watchers call

    def expect(self, stream: str) -> None:
        """What has gone to sleep for want of frames wakes up while the file settles."""
        self._carriers[stream].expect()

    async def admit(self, files: Sequence[SettledFile]) -> None:
        """Journal `files` in this order."""
        admissions = await self.insist(lambda: self.journal.admit(files))
        now_ns = self.now_ns()
        for admission in admissions:
            self.telemetry.stage_time("settle", max(0.0, (now_ns - admission.settled_at_ns) / 1e9))
        for stream in {admission.file.stream for admission in admissions}:
            self._carriers[stream].wake()

    async def adopt(self, stream: str, files: Sequence[FileIdentity]) -> None:
        """Journal files that were there before the stream began."""
        await self.insist(lambda: self.journal.adopt(stream, files))

    async def begin(self, stream: str) -> None:
        """Journal that stock was taken."""
        await self.insist(lambda: self.journal.begin(stream))

    # What the carriers and operators' orders call

    def now_ns(self) -> int:
        """The time, nanoseconds since the epoch."""
        return self._clock.now_ns()

    async def insist(self, write: Callable[[], Awaitable[T]]) -> T:
        """Try a write until the journal has room: nothing was committed by a try that failed."""
        this = next(self._writes)
        try:
            while True:
                try:
                    return await write()
                except JournalFullError as full:
                    if not self._writes_waiting:
                        log.warning("the journal is full; frames wait", reason=str(full))
                    self._writes_waiting[this] = str(full)
                await asyncio.sleep(FULL_S)
        finally:
            self._writes_waiting.pop(this, None)  # its own only: a smaller write that finds room says nothing of the others

    def committed(self, line: StreamLine, concluded: Sequence[tuple[Job, Conclusion]]) -> None:
        """Metrics and listeners hear of files once they are durable."""
        self._wake_publisher()
        for job, conclusion in concluded:
            self._tell(job, conclusion)
        self.telemetry.open_episodes(line.name, line.desk.calling(line.judge.open_kinds))
        for stage in ("read", "predict", "judge"):
            self.telemetry.queue_length(stage, sum(carrier.queues[stage] for carrier in self._carriers.values()))

    def told(self, execution: Execution) -> None:
        """Listeners hear of an order once it is durable."""
        self._wake_publisher()
        if self._on_event is not None:
            for event in execution.events:
                self._on_event(event)

    def _tell(self, job: Job, conclusion: Conclusion) -> None:
        stream, file = job.line.name, job.admission.file
        if job.rejected is not None:
            self.telemetry.quarantined(stream, job.rejected.cause)
            log.warning("quarantined", stream=stream, path=file.path, cause=job.rejected.cause, reason=job.rejected.reason)
        for judged in conclusion.frames:
            sample = judged.observation.ref.sample
            if sample is not None and sample != self._samples.get(stream):
                self._samples[stream] = sample
                self.telemetry.sample_began(stream)
            score, verdict = judged.observation.score, judged.verdict
            self.telemetry.frame_done(
                stream,
                "scored",
                size=file.size if judged.observation.ref.frame_index == 0 else 0,
                at_s=judged.observation.ref.at.timestamp(),
                entropy=score.entropy,
                mutual_information=score.mutual_information if score.members_answering > 1 else None,
                referred=score.referred or judged.held,
            )
            self.telemetry.members(stream, score.members_answering, len(score.members_missing), len(score.members_stale))
            self.telemetry.drift(stream, verdict.statistic, verdict.threshold, verdict.state)
            if verdict.cause is not None:
                self.telemetry.not_judged(stream, verdict.cause)
            for change in verdict.changes:
                self.telemetry.episode(stream, change.kind, change.phase)
                log.warning("alert", stream=stream, phase=change.phase, kind=change.kind, onset=change.onset.path, reason=change.reason)
        at_s = file.mtime_ns / 1e9
        for frame in conclusion.file.refused:
            self.telemetry.quarantined(stream, frame.cause)
            log.warning("quarantined", stream=stream, path=file.path, frame_index=frame.frame_index, cause=frame.cause, reason=frame.reason)
            size = file.size if frame.frame_index == 0 else 0
            self.telemetry.frame_done(stream, "quarantined", size=size, at_s=at_s, entropy=None, mutual_information=None, referred=False)
        if not conclusion.frames and not conclusion.file.refused and (outcome := conclusion.file.outcome) is not None:
            self.telemetry.frame_done(stream, outcome, size=file.size, at_s=at_s, entropy=None, mutual_information=None, referred=False)
        if self._on_event is not None:
            for event in conclusion.events:
                self._on_event(event)
