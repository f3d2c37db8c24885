"""Decoding outside the agent's own process, so that no file can crash, bloat or stall it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from edge_agent.core.errors import EdgeAgentError, FrameRejectedError
from edge_agent.core.own_thread import OwnThread
from edge_agent.frames.drive import Drive
from edge_agent.frames.limits import DecodeLimits
from edge_agent.frames.pipe import Request
from edge_agent.frames.process import STOP_S, DecoderLostError, DecoderProcess
from edge_agent.frames.refusal import refuse

if TYPE_CHECKING:
    from datetime import tzinfo

    from edge_agent.core.portion import Portion

ATTEMPTS = 2
"""A process killed or stopped from outside costs nothing but a second attempt; a file that costs two, or computes for ever, is refused."""


KILLED_ATTEMPTS = 4
"""The same for processes that were killed: a machine short of memory kills more than one while a file waits for its turn."""
PAUSE_S = 1.0
"""Before another process is risked where the second was killed too."""


class DecoderPool:
    """A FrameReader: processes start with the first file and end after a while without one.

    Args:
        workers: how many files are decoded at once.
        limits: what a file may cost.
        time_zone: of times in files that carry none; UTC when None.
        idle_s: how long a process waits for the next file before it is stopped.
    """

    def __init__(
        self, workers: int = 1, *, limits: DecodeLimits | None = None, time_zone: tzinfo | None = None, idle_s: float = 60.0
    ) -> None:
        self._limits = limits or DecodeLimits()
        self._time_zone = time_zone
        self._idle_s = idle_s
        self._threads = OwnThread("decode", threads=workers)
        self._lock = threading.Lock()
        self._freed = threading.Condition(self._lock)
        self._idle: list[DecoderProcess] = []
        self._busy: set[DecoderProcess] = set()
        self._closed = False
        self._drive = Drive()
        self._sleep: asyncio.TimerHandle | None = None
        self._warming: asyncio.Task[None] | None = None

    async def read(self, path: str, name: str, first: int = 0) -> Portion:
        """Decode the file at absolute `path`, or a portion of it from frame `first` on; `name` is what errors call it.

        Raises FrameRejectedError, or another EdgeAgentError when no decoder starts: the file may be tried again.
        """
        if self._sleep is not None:
            self._sleep.cancel()
        try:
            return await self._threads.call(partial(self._decode, path, name, first))
        finally:
            self._sleep_later()

    def warm(self) -> None:
        """Start a decoder where none runs, while the file that will need it settles; a failure is the next reader's to tell."""
        with self._lock:
            if self._idle or self._busy or self._closed:
                return
        if self._warming is None or self._warming.done():
            self._warming = asyncio.ensure_future(self._warm())

    async def _warm(self) -> None:
        with contextlib.suppress(EdgeAgentError):
            await self._threads.call(self._start_one)
        self._sleep_later()

    def _start_one(self) -> None:
        with self._lock:
            if self._idle or self._busy:
                return
        self._give_back(self._take())

    def _sleep_later(self) -> None:
        if self._sleep is not None:
            self._sleep.cancel()
        self._sleep = asyncio.get_running_loop().call_later(self._idle_s, self._rest)

    async def close(self) -> None:
        """Stop the decoders; files under way are given up."""
        if self._warming is not None:
            self._warming.cancel()
        if self._sleep is not None:
            self._sleep.cancel()
        with self._lock:
            self._closed = True
            running = [*self._idle, *self._busy]
            self._idle.clear()
        for process in running:
            with contextlib.suppress(OSError):
                process.kill()
        self._threads.end()
        await asyncio.to_thread(self._until_free)
        for process in running:
            process.stop()

    @property
    def process_ids(self) -> tuple[int, ...]:
        """The running decoders' process ids."""
        with self._lock:
            return tuple(process.pid for process in (*self._idle, *self._busy))

    def _until_free(self) -> None:
        """Wait until no thread reads from a decoder any more, but not for one that a hanging drive holds."""
        with self._freed:
            self._freed.wait_for(lambda: not self._busy, STOP_S)

    def _rest(self) -> None:
        with self._lock:
            resting, self._idle = self._idle, []
        for process in resting:
            process.stop()

    def _decode(self, path: str, name: str, first: int) -> Portion:
        request = Request(path, name, self._limits, self._time_zone, first)
        lost = ""
        self._drive.ask_again()
        attempts, tried = ATTEMPTS, 0
        while tried < attempts and not self._closed:
            tried += 1
            process = self._take()
            try:
                reply = process.decode(request)
            except DecoderLostError as error:
                lost = str(error)
                self._drop(process)
                if process.worked:
                    break
                if process.late and not self._closed:
                    self._drive.ask(path)
                if process.killed:
                    attempts = KILLED_ATTEMPTS
                    time.sleep(PAUSE_S if tried >= ATTEMPTS else 0.0)
                continue
            except BaseException:
                self._drop(process)
                process.kill()  # its answer, or the rest of it, was never read
                process.stop()
                raise
            self._give_back(process)
            if isinstance(reply, FrameRejectedError):
                raise reply
            return reply
        if self._closed:
            raise EdgeAgentError(name, "was not decoded, because the agent ends", "nothing to do: it is read at the next start")
        return refuse(name, "decoder_failed", f"the decoder was lost over it ({lost})")

    def _take(self) -> DecoderProcess:
        with self._lock:
            process = self._idle.pop() if self._idle else None
            if process is not None:
                self._busy.add(process)
                return process
        process = DecoderProcess()
        with self._lock:
            self._busy.add(process)
            if self._closed:
                process.kill()
        return process

    def _drop(self, process: DecoderProcess) -> None:
        with self._lock:
            self._busy.discard(process)
            self._freed.notify_all()

    def _give_back(self, process: DecoderProcess) -> None:
        with self._lock:
            self._busy.discard(process)
            self._freed.notify_all()
            if not (self._closed or process.late):
                self._idle.append(process)
                return
        process.stop()
