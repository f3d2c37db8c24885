"""Free memory goes back to the operating system, so that an unloaded model costs nothing."""

from __future__ import annotations

import ctypes
import sys


def return_free_memory() -> None:
    """Ask the C library to give its free pages back; other platforms than Linux with glibc do so by themselves."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
