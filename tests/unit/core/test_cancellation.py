"""Whoever is asked to end ends, also when what it waited for comes at that very moment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from edge_agent.core.own_thread import OwnThread
from tests.watched import Ledger, watcher

if TYPE_CHECKING:
    from pathlib import Path

TURNS = range(5)
"""Turns of the loop between the event and the cancellation."""


async def ends(task: asyncio.Task[None], turns: int) -> bool:
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=2)
    return bool(done)


@pytest.mark.parametrize("turns", TURNS)
async def test_a_watcher_ends_in_the_midst_of_events(tmp_path: Path, turns: int) -> None:
    watching = watcher(tmp_path, Ledger(), observer="polling")
    await watching.prepare()
    for wait, event in ((watching._settle, watching._something), (watching._reconcile, watching._scan_wanted)):
        task = asyncio.create_task(wait())
        await asyncio.sleep(0.05)
        event.set()
        assert await ends(task, turns), f"{wait.__name__} goes on"
    await watching._close()


@pytest.mark.parametrize("turns", TURNS)
async def test_a_call_in_a_thread_of_its_own_is_given_up_although_its_result_comes(turns: int) -> None:
    thread = OwnThread("test")
    waits = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def call_for_ever() -> None:
        while True:
            await thread.call(lambda: loop.call_soon_threadsafe(waits.set), 5)

    for _ in range(20):  # the result and the cancellation meet at another moment each time
        waits.clear()
        task = asyncio.create_task(call_for_ever())
        await waits.wait()
        assert await ends(task, turns)
    thread.end()
