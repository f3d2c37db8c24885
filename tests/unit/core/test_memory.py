"""What was freed goes back to the operating system."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, psutil
from edge_agent.core.memory import return_free_memory, share_heaps
share_heaps()
resident = lambda: psutil.Process().memory_info().rss / 1e6
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
pieces = [libc.malloc(60_000) for _ in range(2_000)]
for piece in pieces:
    ctypes.memset(piece, 1, 60_000)
full = resident()
for piece in pieces[:-1]:  # the last one lies on top of them all and keeps the heap from shrinking by itself
    libc.free(ctypes.c_void_p(piece))
freed = resident()
return_free_memory()
print(full, freed, resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="linux: other systems do it by themselves")
def test_free_memory_is_returned_though_something_above_it_is_in_use() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    full, freed, tidy = map(float, done.stdout.split())
    assert freed > full - 20, "otherwise this test shows nothing"
    assert tidy < freed - 80
