"""Memory that is free goes back to the operating system, so that a process takes what it needs now, not what it once did."""

from __future__ import annotations

import ctypes
import sys

M_ARENA_MAX = -8
"""glibc's mallopt(3): how many heaps threads may have."""
ARENAS = 2


def return_free_memory() -> None:
    """Ask the C library to give its free pages back; other platforms than Linux with glibc do so by themselves."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def share_heaps() -> None:
    """Let all threads share a few heaps: with one each, what one has freed the others cannot use. To be called before there are any."""
    if sys.platform == "linux":
        option = getattr(ctypes.CDLL(None), "mallopt", None)
        if option is not None:
            option(M_ARENA_MAX, ARENAS)
