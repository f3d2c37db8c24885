"""Threads for calls that may never come back."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class OwnThread:
    """Runs calls in order, one after the other, in a daemon thread, which keeps nobody's process alive.

    Unlike an executor's, the thread can be left to itself when a call hangs. It starts with the first call.

    Args:
        name: the thread's name.
        threads: how many calls may run at once.
    """

    def __init__(self, name: str, *, threads: int = 1) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._waiting = [threading.Thread(target=self._run, name=name, daemon=True) for _ in range(threads)]
        self._running = 0

    async def call(self, function: Callable[[], T], timeout_s: float | None = None) -> T:
        """The function's result; raises TimeoutError when it takes longer than `timeout_s`, while the function goes on."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]  # without an error there is a T

        def work() -> None:
            result, error = None, None
            try:
                result = function()
            except BaseException as raised:  # noqa: BLE001 - it is raised again where the call was made
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop has ended and nobody waits any more
                loop.call_soon_threadsafe(settle, result, error)

        self._calls.put(work)
        while self._waiting:
            self._running += 1
            self._waiting.pop().start()
        async with asyncio.timeout(timeout_s):  # asyncio.wait_for would swallow a cancellation that meets the result
            return await future

    def end(self) -> None:
        """Let the threads end after the calls that were made."""
        for _ in range(self._running):
            self._calls.put(None)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
