"""What a process that works on foreign bytes denies itself before the first of them.

Confined are memory, processor time, open files, files written (none), memory dumps (none) and, for any user but root, further processes
and threads; under Linux it is also the first to go when the machine's memory runs out. Not confined are what it may read, and the
network: that takes the service manager (see deploy/systemd). Windows confines memory and further processes, by a job object; its time is
bounded by the parent alone.
"""

from __future__ import annotations

import math
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_agent.frames.limits import DecodeLimits

OPEN_FILES = 64
"""A decoder has three pipes and its file open; libraries that it imports open a few more."""
CPU_GRACE_S = 5.0
"""The parent kills a decoder that takes too long; this is for a parent that is itself stopped, so it comes later."""


def confine(limits: DecodeLimits, *, alone: bool) -> None:
    """Set all limits but that of time, for good; `alone` forbids further processes and threads."""
    if sys.platform == "win32":
        from edge_agent.frames.job import confine_self  # noqa: PLC0415 - windows only

        confine_self(limits.memory_bytes)
    else:
        import resource  # noqa: PLC0415 - posix only

        _lower(resource.RLIMIT_AS, limits.memory_bytes)
        _lower(resource.RLIMIT_FSIZE, 0)
        _lower(resource.RLIMIT_CORE, 0)
        _lower(resource.RLIMIT_NOFILE, OPEN_FILES)
        if alone and hasattr(resource, "RLIMIT_NPROC"):
            _lower(resource.RLIMIT_NPROC, 0)


def be_first_to_go() -> None:
    """Linux: let the kernel take this process, not the agent, when the machine's memory runs out."""
    if sys.platform == "linux":
        try:
            with open("/proc/self/oom_score_adj", "w", encoding="ascii") as adjustment:  # noqa: PTH123 - no Path needed
                adjustment.write("1000")
        except OSError:  # no /proc in this container: the kernel chooses
            return


def allow_time(seconds: float) -> None:
    """Set the processor time that is left for the next question; the kernel ends the process that takes more."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - posix only

        used_s = sum(os.times()[:2])
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        wanted = math.ceil(used_s + seconds + CPU_GRACE_S)
        resource.setrlimit(resource.RLIMIT_CPU, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _lower(limit: int, most: int) -> None:
    """Let soft and hard limit be `most`, or what they are where that is less."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - posix only

        _, hard = resource.getrlimit(limit)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (allowed, allowed))
