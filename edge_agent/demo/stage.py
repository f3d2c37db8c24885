"""Runs the real agent on a folder while the instrument writes into it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from edge_agent.agent import Agent
from edge_agent.config import Settings
from edge_agent.core.errors import EdgeAgentError
from edge_agent.simulate import simulate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.core.event import Event
    from edge_agent.simulate import PlannedSample

LABEL_IN_NAME = "name:^S[0-9]+-([a-z_]+)/"
SETTLE_S = 0.3
PATIENCE_S = 60.0
"""How long the demo waits for the next frame once the instrument has stopped."""


def demo_settings(folder: Path, state: Path, model: str, *, declared: bool) -> Settings:
    """One stream on `folder`, samples by folder, lots by the label in its name where they are declared; nothing leaves the machine."""
    return Settings.model_validate(
        {
            "agent": {"name": "demo", "state_dir": state},
            "stream": [
                {
                    "name": "demo",
                    "path": folder,
                    "include": ["**/*.tif"],
                    "start": "beginning",
                    "settle": SETTLE_S,
                    "scan_interval_s": 1.0,
                    "lot": LABEL_IN_NAME if declared else "predicted",
                    "model": {"name": model},
                }
            ],
            "http": {"listen": "127.0.0.1:0"},
        }
    )


async def perform(
    settings: Settings, plan: tuple[PlannedSample, ...], *, frames: int, rate: float, seed: int, on_event: Callable[[Event], None]
) -> None:
    """Watch `settings`' folder until every planned frame has been told; raises EdgeAgentError when frames stay away."""
    expected = len(plan) * frames
    told = 0
    progress = asyncio.Event()

    def take(event: Event) -> None:
        nonlocal told
        on_event(event)
        if event.type.startswith("edge.frame."):
            told += 1
            progress.set()

    folder = settings.stream[0].path
    agent = Agent(settings, on_event=take)
    running = asyncio.create_task(agent.run())
    writing = asyncio.create_task(asyncio.to_thread(simulate, plan, folder, frames=frames, rate=rate, seed=seed))
    try:
        while told < expected:
            progress.clear()
            waiting = asyncio.create_task(progress.wait())
            done, _ = await asyncio.wait({waiting, running}, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if running in done:
                break
            if not done:
                raise EdgeAgentError("the demo", f"{told} of {expected} frames were told, then none for {PATIENCE_S:g} s", "try again")
        await writing
        agent.stop("the demo is over")
        await running
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
