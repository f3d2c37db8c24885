"""A ledger in memory and a watcher that runs for the length of a test."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.core.clock import SystemClock
from edge_agent.core.telemetry import Telemetry
from edge_agent.watch import FolderWatcher, WatchSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from edge_agent.core.frame import FileIdentity, SettledFile

OBSERVERS = pytest.mark.parametrize("observer", ["native", "polling"])


class Ledger:
    """KnownFiles and Admissions, as the journal and the pipeline are to a watcher."""

    def __init__(self, *, begun: bool = False) -> None:
        self.settled: list[SettledFile] = []
        self.settled_at_s: dict[str, float] = {}
        self.adopted: list[str] = []
        self.expected: list[str] = []
        self.has_begun = begun
        self._states: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        self._changed = asyncio.Condition()

    def in_directory(self, stream: str, directory: str) -> Mapping[str, tuple[int, int]]:
        return dict(self._states[directory])

    def begun(self, stream: str) -> bool:
        return self.has_begun

    def know(self, file: FileIdentity) -> bool:
        directory, _, name = file.path.rpartition("/")
        new = self._states[directory].get(name) != (file.size, file.mtime_ns)
        self._states[directory][name] = (file.size, file.mtime_ns)
        return new

    def expect(self, stream: str) -> None:
        self.expected.append(stream)

    async def admit(self, files: Sequence[SettledFile]) -> None:
        now_s = asyncio.get_running_loop().time()
        for settled in files:
            if self.know(settled.file):
                self.settled.append(settled)
                self.settled_at_s[settled.file.path] = now_s
        async with self._changed:
            self._changed.notify_all()

    async def adopt(self, stream: str, files: Sequence[FileIdentity]) -> None:
        for file in files:
            self.know(file)
            self.adopted.append(file.path)

    async def begin(self, stream: str) -> None:
        self.has_begun = True

    @property
    def paths(self) -> list[str]:
        return [settled.file.path for settled in self.settled]

    async def until(self, condition: Callable[[], Any], limit_s: float = 20) -> None:
        async with asyncio.timeout(limit_s), self._changed:
            await self._changed.wait_for(condition)


@dataclass
class Told(Telemetry):
    """Keeps what a watcher tells."""

    vias: list[str] = field(default_factory=list)
    up: list[bool] = field(default_factory=list)
    restarts: int = 0

    def discovered(self, stream: str, via: str) -> None:
        self.vias.append(via)

    def watch_state(self, stream: str, *, up: bool) -> None:
        self.up.append(up)

    def watch_restarted(self, stream: str) -> None:
        self.restarts += 1


def watcher(
    root: Path, ledger: Ledger, *, is_complete: Callable[[Path], Any] = lambda _: "complete", told: Telemetry | None = None, **settings: Any
) -> FolderWatcher:
    wanted = WatchSettings("sem", root, **{"settle_s": 0.1, "scan_interval_s": 0.2, **settings})
    return FolderWatcher(
        wanted, known=ledger, admissions=ledger, is_complete=is_complete, clock=SystemClock(), telemetry=told or Telemetry()
    )


@asynccontextmanager
async def running(of: FolderWatcher) -> AsyncIterator[FolderWatcher]:
    """The watcher prepared and at work."""
    await of.prepare()
    task = asyncio.create_task(of.run())
    try:
        async with asyncio.timeout(10):
            while not of.state.watching and not of.state.reason.startswith("waiting"):
                if task.done():
                    await task
                await asyncio.sleep(0.005)
        yield of
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], Any], limit_s: float = 10) -> None:
    """Wait for something that announces itself to nobody."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)
