"""From the command line to the loop and back: signals in, exit code out."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from edge_agent.core.errors import EdgeAgentError
from edge_agent.core.memory import share_heaps

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.agent.agent import Agent


PATIENCE_S = 9.0
"""After a signal an orderly stop has this long; whatever it leaves undone, the next start does."""


def run_agent(agent: Agent, *, stop_with_stdin: bool = False) -> None:
    """Run until SIGTERM, SIGINT (Ctrl-C, a service's stop) or the work's end; raises the EdgeAgentError that ended it.

    With `stop_with_stdin` it also ends when standard input closes, as it does when whoever watches over the agent asks, or is gone.
    """
    share_heaps()
    gc.freeze()  # what was imported stays: looking through it again would hold frames up for 20 ms at every full collection
    try:
        asyncio.run(_run(agent, stop_with_stdin=stop_with_stdin))
    except BaseExceptionGroup as group:
        expected = expected_error(group)
        if expected is None:
            raise
        raise expected from group


async def _run(agent: Agent, *, stop_with_stdin: bool) -> None:
    loop = asyncio.get_running_loop()

    def ask(number: int) -> None:
        end(signal.Signals(number).name)

    def end(reason: str) -> None:
        agent.stop(reason)
        last_resort = threading.Timer(PATIENCE_S, os._exit, (0,))  # a thread that hangs in a drive that is away cannot be ended
        last_resort.daemon = True
        last_resort.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        if sys.platform == "win32":
            signal.signal(number, lambda caught, _frame: loop.call_soon_threadsafe(ask, caught))
        else:
            loop.add_signal_handler(number, ask, number)
    if stop_with_stdin:
        threading.Thread(target=_until_closed, args=(lambda: loop.call_soon_threadsafe(end, "standard input closed"),), daemon=True).start()
    await agent.run()


def _until_closed(then: Callable[[], object]) -> None:
    """Call `then` once standard input is closed."""
    with contextlib.suppress(OSError, ValueError):
        while os.read(0, 1024):
            pass
    with contextlib.suppress(RuntimeError):  # the loop has ended by itself
        then()


def expected_error(group: BaseExceptionGroup[BaseException]) -> EdgeAgentError | None:
    """The first expected error in `group`, if all of it is expected: a bug beside it must not be hidden."""
    expected, other = group.split(EdgeAgentError)
    if other is not None or expected is None:
        return None
    first: BaseException = expected
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first if isinstance(first, EdgeAgentError) else None
