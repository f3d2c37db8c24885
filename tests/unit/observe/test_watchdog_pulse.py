"""The watchdog: what the service manager hears, and when the loop counts as stuck."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from edge_agent.core.clock import SystemClock
from edge_agent.observe import Watchdog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class HandClock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now_ns(self) -> int:
        return int(self.seconds * 1e9)

    def monotonic_s(self) -> float:
        return self.seconds


if sys.platform != "win32":

    @pytest.fixture
    def manager(tmp_path: Path) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(str(tmp_path / "notify"))
            listener.settimeout(5)
            yield listener

    def test_life_is_told_in_systemds_words(manager: socket.socket):
        watchdog = Watchdog(SystemClock(), {"NOTIFY_SOCKET": manager.getsockname()})
        watchdog.ready("2 streams")
        watchdog.status("buffering")
        watchdog.stopping()

        assert [manager.recv(100) for _ in range(3)] == [b"READY=1\nSTATUS=2 streams", b"STATUS=buffering", b"STOPPING=1"]

    def test_an_abstract_socket_is_reached():
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(f"\0edge-agent-test-{os.getpid()}")
            listener.settimeout(5)
            Watchdog(SystemClock(), {"NOTIFY_SOCKET": f"@edge-agent-test-{os.getpid()}"}).ready("")
            assert listener.recv(100).startswith(b"READY=1")

    async def test_pulses_come_twice_an_interval(manager: socket.socket):
        environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "100000", "WATCHDOG_PID": str(os.getpid())}
        watchdog = Watchdog(SystemClock(), environment)
        loop = asyncio.get_running_loop()
        began = loop.time()
        manager.setblocking(False)
        pulse = asyncio.create_task(watchdog.run())
        for _ in range(4):
            assert await asyncio.wait_for(loop.sock_recv(manager, 100), 5) == b"WATCHDOG=1"
        pulse.cancel()

        assert loop.time() - began >= 3 * 0.045


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/notify"}])
def test_without_a_service_manager_nothing_happens(environment: dict[str, str]):
    watchdog = Watchdog(SystemClock(), environment)
    watchdog.ready("fine")
    watchdog.stopping()


async def test_a_loop_that_no_longer_turns_is_stuck():
    clock = HandClock()
    watchdog = Watchdog(clock, {})
    assert watchdog.turns

    pulse = asyncio.create_task(watchdog.run())
    await asyncio.sleep(0)
    assert watchdog.turns

    clock.seconds += 11
    assert not watchdog.turns
    pulse.cancel()


async def test_lag_is_what_a_pulse_came_too_late_by():
    clock = HandClock()
    watchdog = Watchdog(clock, {"WATCHDOG_USEC": "2000"})
    pulse = asyncio.create_task(watchdog.run())
    await asyncio.sleep(0)
    clock.seconds += 3.001
    async with asyncio.timeout(5):
        while watchdog.lag_s == 0:  # noqa: ASYNC110 - the pulse is what is awaited
            await asyncio.sleep(0.001)

    pulse.cancel()
    assert watchdog.lag_s == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("environment", "pulse_s"),
    [
        ({"WATCHDOG_USEC": "500000"}, 0.25),
        ({"WATCHDOG_USEC": "30000000"}, 1.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "1"}, 1.0),
        ({"WATCHDOG_USEC": "0"}, 1.0),
        ({"WATCHDOG_USEC": "soon"}, 1.0),
    ],
)
def test_the_interval_is_the_service_managers_when_it_is_meant_for_us(environment: dict[str, str], pulse_s: float):
    assert Watchdog(SystemClock(), environment)._pulse_s == pulse_s
