"""Carries one stream's files from admission to commit.

Everything before the commit is a pure function of file content, model and drift state: after a crash it is done again.
Frames are read and predicted concurrently, and judged in the order of their sequence numbers. Streams do not wait for each other.
A stack goes portion by portion: each is committed by itself, and after a crash the next begins where the journal's frames end.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

import structlog

from edge_agent.core.errors import EdgeAgentError, FrameRejectedError
from edge_agent.core.frame import STILL_OPEN, SettleOutcome
from edge_agent.journal import Commit
from edge_agent.pipeline.asking import FRAMES_A_REQUEST, answer
from edge_agent.pipeline.conclude import conclude
from edge_agent.pipeline.folder import Folder
from edge_agent.pipeline.line import Job

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from edge_agent.core.frame import Admission
    from edge_agent.core.portion import Portion
    from edge_agent.core.telemetry import Telemetry
    from edge_agent.journal import Journal
    from edge_agent.pipeline.conclude import Conclusion
    from edge_agent.pipeline.line import StreamLine

T = TypeVar("T")
log = structlog.get_logger(__name__)

WINDOW = 64
"""Files of a stream between admission and commit; the rest waits in the journal and in the folder."""
FILES_A_COMMIT = 64
"""Files, or portions of stacks, that are committed together at most."""
DECODED_AHEAD = 4
"""Decoded files that wait for the model at most: pixels are large, files are patient."""
MAY_COME_BACK = frozenset({"vanished", "unreadable"})
"""Causes that may lie in the folder, not in the file."""
OPEN_FILES = 1000
"""Files that are open to their writers and cannot be read, of which the reason is kept."""
NUMBER = re.compile(r"[0-9]+")
"""Counts and times differ from state to state of one file, and its reason is the same."""
AWAY_S = 1.0
"""Pause between two looks for a folder that is away."""


class Surroundings(Protocol):
    """What a stream's carrier needs of the pipeline around it."""

    agent: str
    journal: Journal
    telemetry: Telemetry

    def now_ns(self) -> int:
        """The time, nanoseconds since the epoch."""
        ...

    async def insist(self, write: Callable[[], Awaitable[T]]) -> T:
        """Try a write until the journal has room."""
        ...

    def committed(self, line: StreamLine, concluded: Sequence[tuple[Job, Conclusion]]) -> None:
        """Hear what became durable."""
        ...


class Carrier:
    """One stream's files on their way.

    Args:
        line: the stream's line.
        around: the pipeline.
        readers: files that are decoded at a time.
    """

    def __init__(self, line: StreamLine, around: Surroundings, readers: int) -> None:
        self._line = line
        self._around = around
        self._readers = readers
        self._admitted = asyncio.Event()
        self._progress = asyncio.Condition()
        self._window = asyncio.Semaphore(WINDOW)
        self._in_order: deque[Job] = deque()
        self._to_read: asyncio.PriorityQueue[tuple[int, int, Job]] = asyncio.PriorityQueue()
        self._held: list[Job] = []
        self._to_predict: asyncio.Queue[Job] = asyncio.Queue(DECODED_AHEAD)
        self._fed_up_to = 0
        self._under_way: dict[int, Admission] = {}
        self._refused_open: dict[str, tuple[str, str]] = {}
        self._waits = {"read": "", "predict": ""}
        self.judging = asyncio.Lock()
        """Held from judging frames to their commit: whoever else changes what the line is judged by takes it."""

    async def run(self) -> None:
        """Carry frames until cancelled; nothing that was admitted is lost by that."""
        self._folder = await asyncio.to_thread(Folder, self._line.root)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._feed())
            for _ in range(self._readers):
                tasks.create_task(self._read())
            tasks.create_task(self._predict())
            tasks.create_task(self._predict())
            tasks.create_task(self._conclude())

    def expect(self) -> None:
        """Say that a file will settle before long."""
        self._line.reader.warm()
        self._line.predictor.warm()

    def wake(self) -> None:
        """Say that files were admitted."""
        self._admitted.set()

    async def drained(self) -> None:
        """Wait until everything admitted so far is committed."""
        async with self._progress:
            while self._under_way or await self._pending(1):
                await self._progress.wait()

    @property
    def waits_for(self) -> str:
        """What keeps frames waiting, for people; "" when nothing does."""
        return "; ".join(filter(None, self._waits.values()))

    @property
    def queues(self) -> dict[str, int]:
        """Files that wait for each stage."""
        return {"read": self._to_read.qsize(), "predict": self._to_predict.qsize(), "judge": len(self._in_order)}

    async def _pending(self, limit: int) -> list[Admission]:
        return await self._around.journal.pending(self._fed_up_to, limit, self._line.name)

    async def _feed(self) -> None:
        while True:
            self._admitted.clear()
            admissions = await self._pending(WINDOW)
            for admission in admissions:
                await self._window.acquire()
                seen_before = admission.generation > 0 or not self._fed_up_to  # an earlier run may have begun with its oldest file
                job = Job(admission, self._line, admission.generation, seen_before=seen_before)
                self._in_order.append(job)
                self._under_way[admission.seq] = admission
                self._fed_up_to = admission.seq
                await self._start(job)
            if not admissions:
                await self._made_progress()
                await self._admitted.wait()

    async def _start(self, job: Job) -> None:
        admission = job.admission
        if admission.outcome is SettleOutcome.COMPLETE:
            if self._has_predecessor(job):
                self._held.append(job)
            else:
                self._have_read(job)
            return
        if admission.outcome is SettleOutcome.INCOMPLETE:
            cause = "incomplete" if admission.file.size else "empty"
            job.rejected = FrameRejectedError(
                admission.file.path, cause, admission.detail, "write it again; a new state of it will be read"
            )
        await self._finish(job)

    # 3. read

    def _have_read(self, job: Job) -> None:
        job.begun = True
        self._to_read.put_nowait((job.admission.seq, job.portion, job))  # the oldest file first

    def _read_on(self) -> None:
        """Have the oldest file's next portion read while this one is predicted; those of later files wait, or memory would fill."""
        for job in filter(None, (self._in_order[0], self._in_order[0].more) if self._in_order else ()):
            if not job.begun:
                self._have_read(job)

    async def _read(self) -> None:
        while True:
            _, _, job = await self._to_read.get()
            began = time.perf_counter()
            try:
                job.take(await self._new_portion(job))
            except FrameRejectedError as rejected:
                self._reject(job, rejected)
                await self._finish(job)
                continue
            self._refused_open.pop(job.admission.file.path, None)
            job.read_s = time.perf_counter() - began
            self._around.telemetry.stage_time("read", job.read_s)
            if job.more is not None:
                self._in_order.insert(self._in_order.index(job) + 1, job.more)
                self._read_on()
            if job.frames:
                await self._to_predict.put(job)
            else:
                await self._finish(job)

    def _reject(self, job: Job, rejected: FrameRejectedError) -> None:
        """Refuse the file, or the rest of it; one whose writer has it open only once for the same reason, or each state would be told."""
        admission, why = job.admission, (rejected.cause, NUMBER.sub("", rejected.reason))
        if job.portion == 0:  # what cannot be read is not known to be what was told of
            job.generation = admission.generation
        if admission.detail != STILL_OPEN or rejected.cause in MAY_COME_BACK:
            self._refused_open.pop(admission.file.path, None)
        elif self._refused_open.get(admission.file.path) == why and job.portion == 0:
            job.generation -= 1
            return
        else:
            self._refused_open[admission.file.path] = why
            while len(self._refused_open) > OPEN_FILES:
                del self._refused_open[next(iter(self._refused_open))]
        job.rejected = rejected

    async def _new_portion(self, job: Job) -> Portion:
        """Read on behind the frames that were told of, if the file still holds those; keeps its generation then."""
        path = job.admission.file.path
        if job.seen_before and job.portion == 0:
            await self._find_witness(job)
        portion = await self._decode(path, job.witness[0] if job.witness else 0)
        if job.witness is not None and not await self._is_same(job, portion):
            if job.portion > 0 or job.generation == job.admission.generation:
                what = f"was rewritten after its frame {job.witness[0]} was read"
                raise FrameRejectedError(path, "vanished", what, "nothing to do: its new content is read by itself")
            job.generation, job.witness = job.admission.generation, None
            portion = await self._decode(path, 0)
        if portion.growing and job.witness is None and not (portion.frames or portion.refused):
            job.generation -= 1  # its first content is still to come
        return portion

    async def _decode(self, name: str, first: int) -> Portion:
        """Read a file; while its whole folder or every decoder is away, wait for that instead of blaming the file."""
        tried_again = False
        try:
            while True:
                try:
                    return await self._line.reader.read(str(self._line.root / name), name, first)
                except FrameRejectedError as rejected:
                    if rejected.cause not in MAY_COME_BACK:
                        raise
                    away = await asyncio.to_thread(self._folder.is_away)
                    if away:
                        self._wait_for("read", f"{self._line.root} is out of reach")
                        await asyncio.sleep(AWAY_S)
                    elif tried_again:
                        raise
                    tried_again = not away  # the folder may have come back since the file was not found
                except EdgeAgentError as error:
                    self._wait_for("read", str(error))
                    await asyncio.sleep(AWAY_S)
        finally:
            self._wait_for("read", "")

    async def _find_witness(self, job: Job) -> None:
        """Some generations have no frames: kept ones, and content that went to quarantine as a whole."""
        last = await self._around.journal.last_frame(job.admission.file.stream, job.admission.file.path, job.admission.generation)
        if last is not None:
            job.generation, job.witness = last[0], last[1:]

    async def _is_same(self, job: Job, portion: Portion) -> bool:
        """Whether what was told of a file still stands in it: as far as it was read, and at least the last of it."""
        if job.witness is None:
            return False
        last, content = job.witness
        now = portion.contents
        before = {last: content}
        if min(now, default=last) < last:  # a file that can only be read whole was
            before = await self._around.journal.frame_hashes(job.admission.file.stream, job.admission.file.path, job.generation)
        return all(now.get(place) == told for place, told in before.items())

    def _has_predecessor(self, job: Job) -> bool:
        """Whether an earlier state of the same file is still on its way."""
        earlier = (other for other in self._under_way.values() if other.seq < job.admission.seq)
        return any(other.file.path == job.admission.file.path for other in earlier)

    # 4. predict

    async def _predict(self) -> None:
        while True:
            jobs = [await self._to_predict.get()]
            while not self._to_predict.empty() and sum(len(job.frames) for job in jobs) < FRAMES_A_REQUEST:
                jobs.append(self._to_predict.get_nowait())
            began = time.perf_counter()
            await answer(self._line.predictor, jobs, partial(self._wait_for, "predict"))
            self._around.telemetry.stage_time("predict", time.perf_counter() - began)
            for job in jobs:
                await self._finish(job)

    def _wait_for(self, stage: str, reason: str) -> None:
        """Note what keeps frames waiting before `stage`, "" when nothing does any more."""
        if reason and reason != self._waits[stage]:
            log.warning("frames wait", stream=self._line.name, reason=reason)
        self._waits[stage] = reason

    # 5-7. score, judge, commit

    async def _finish(self, job: Job) -> None:
        job.done = True
        await self._made_progress()

    async def _made_progress(self) -> None:
        async with self._progress:
            self._progress.notify_all()

    async def _conclude(self) -> None:
        while True:
            async with self._progress:
                await self._progress.wait_for(lambda: bool(self._in_order) and self._in_order[0].done)
            jobs: list[Job] = []
            while self._in_order and self._in_order[0].done and len(jobs) < FILES_A_COMMIT:
                jobs.append(self._in_order.popleft())
            self._read_on()
            async with self.judging:
                await self._commit(jobs)

    async def _commit(self, jobs: list[Job]) -> None:
        around = self._around
        began = time.perf_counter()
        conclusions = [conclude(around.agent, job, around.now_ns()) for job in jobs]
        judged = time.perf_counter()
        commit = Commit(
            files=tuple(conclusion.file for conclusion in conclusions),
            drift_states={self._line.name: self._line.judge.to_json()},
            events=tuple(event for conclusion in conclusions for event in conclusion.events),
        )
        await around.insist(lambda: around.journal.commit(commit))
        around.telemetry.stage_time("judge", judged - began)
        around.telemetry.stage_time("commit", time.perf_counter() - judged)
        around.committed(self._line, list(zip(jobs, conclusions, strict=True)))
        for job in jobs:
            if job.more is None:  # the file's last portion
                self._window.release()
                del self._under_way[job.admission.seq]
            job.more = None  # else whoever still has a stack's first portion has all that followed
        held, self._held = self._held, []
        for job in held:
            await self._start(job)
        await self._made_progress()
