"""What a process and its children take of the machine."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil


def family(pid: int) -> list[psutil.Process]:
    """The process and every child of it that runs now."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def processor_s(pid: int) -> float:
    """Processor seconds so far, user and system, ended children included."""
    times = [process.cpu_times() for process in family(pid)]
    return sum(of.user + of.system for of in times) + times[0].children_user + times[0].children_system


def resident_mb(pid: int) -> tuple[float, float]:
    """Resident memory, MB (10^6 bytes): summed over the processes, and with each shared page counted once (Linux; else 0)."""
    summed = proportional = 0.0
    for process in family(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            memory = process.memory_full_info()
            summed += memory.rss / 1e6
            proportional += getattr(memory, "pss", 0) / 1e6
    return summed, proportional


def peak_mb(pid: int) -> float:
    """The most memory that was ever resident in the process alone, MB (Linux; else 0)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) * 1024 / 1e6 for line in status.splitlines() if line.startswith("VmHWM"))


def decoders(pid: int) -> list[psutil.Process]:
    """The processes that read frames for the agent `pid`."""
    found = []
    for child in psutil.Process(pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if any("frames.worker" in part for part in child.cmdline()):
                found.append(child)
    return found


def inotify_watches(pid: int) -> int:
    """Folders that the process has the system watch (Linux; else 0)."""
    watches = 0
    for descriptor in Path(f"/proc/{pid}/fdinfo").glob("*"):
        with contextlib.suppress(OSError):
            watches += descriptor.read_text().count("inotify wd:")
    return watches
