"""Proof that the loop turns: a pulse that /healthz reads and that systemd's watchdog is fed from."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.core.protocols import Clock

PULSE_S = 1.0
"""Time between pulses; shorter where the service manager asks for it."""
STUCK_S = 10.0
"""A loop that has not turned for so long is stuck."""
SEND_TIMEOUT_S = 0.1


class Watchdog:
    """Pulses on the event loop and tells a service manager that speaks systemd's protocol; elsewhere it only pulses.

    The protocol is sd_notify(3): datagrams of KEY=VALUE lines to the socket that NOTIFY_SOCKET names.

    Args:
        clock: measures the lag.
        environment: where NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID are looked up.
    """

    def __init__(self, clock: Clock, environment: Mapping[str, str] = os.environ) -> None:
        self._clock = clock
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._pulse_s = min(PULSE_S, _half_interval_s(environment))
        self._last_s: float | None = None
        self._lag_s = 0.0

    @property
    def lag_s(self) -> float:
        """How late the last pulse came, seconds."""
        return self._lag_s

    @property
    def turns(self) -> bool:
        """Whether the loop has turned lately; before the first pulse nothing speaks against it."""
        return self._last_s is None or self._clock.monotonic_s() - self._last_s < STUCK_S

    async def run(self) -> None:
        """Pulse until cancelled; each pulse feeds the service manager's watchdog."""
        while True:
            now_s = self._clock.monotonic_s()
            if self._last_s is not None:
                self._lag_s = max(0.0, now_s - self._last_s - self._pulse_s)
            self._last_s = now_s
            self.tell("WATCHDOG=1")
            await asyncio.sleep(self._pulse_s)

    def ready(self, status: str) -> None:
        """Say that start-up is over, and how things stand."""
        self.tell(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """Say how things stand, in one line."""
        self.tell(f"STATUS={status}")

    def stopping(self) -> None:
        """Say that an orderly stop has begun."""
        self.tell("STOPPING=1")

    def tell(self, message: str) -> None:
        """Send one datagram; a service manager that does not listen is no reason to stop."""
        if sys.platform == "win32" or not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.settimeout(SEND_TIMEOUT_S)
            try:
                channel.sendto(message.encode(), address)
            except OSError:
                return


def _half_interval_s(environment: Mapping[str, str]) -> float:
    """Half of the interval systemd expects pulses in, so that one may be late; unlimited when it expects none from this process."""
    interval_us = environment.get("WATCHDOG_USEC", "")
    meant_for = environment.get("WATCHDOG_PID", "")
    if not interval_us.isdigit() or int(interval_us) == 0 or meant_for not in {"", str(os.getpid())}:
        return float("inf")
    return int(interval_us) / 2e6
