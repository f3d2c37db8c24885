"""The real clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_of(nanoseconds: int) -> datetime:
    """The moment `nanoseconds` after the epoch, to the microsecond, for every time that 64 bits can hold."""
    return EPOCH + timedelta(microseconds=nanoseconds // 1000)


class SystemClock:
    """Reads the operating system's clocks."""

    def now_ns(self) -> int:
        """Nanoseconds since the epoch."""
        return time.time_ns()

    def monotonic_s(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()
