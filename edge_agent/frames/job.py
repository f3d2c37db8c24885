"""Windows: job objects, by which the kernel holds a process to its memory, keeps it alone, and ends it with its parent.

Source: Microsoft, Win32 API, JOBOBJECT_EXTENDED_LIMIT_INFORMATION. Jobs nest since Windows 8.
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes
    from functools import cache

    EXTENDED_LIMITS = 9
    ONE_PROCESS = 0x8
    PROCESS_MEMORY = 0x100
    DIE_ON_UNHANDLED_EXCEPTION = 0x400
    KILL_ON_CLOSE = 0x2000

    class _Basic(ctypes.Structure):
        _fields_ = (
            ("process_time", wintypes.LARGE_INTEGER),
            ("job_time", wintypes.LARGE_INTEGER),
            ("flags", wintypes.DWORD),
            ("least_working_set", ctypes.c_size_t),
            ("most_working_set", ctypes.c_size_t),
            ("processes", wintypes.DWORD),
            ("affinity", ctypes.c_size_t),
            ("priority", wintypes.DWORD),
            ("scheduling", wintypes.DWORD),
        )

    class _Limits(ctypes.Structure):
        _fields_ = (
            ("basic", _Basic),
            ("io_counters", ctypes.c_ulonglong * 6),
            ("process_memory", ctypes.c_size_t),
            ("job_memory", ctypes.c_size_t),
            ("peak_process_memory", ctypes.c_size_t),
            ("peak_job_memory", ctypes.c_size_t),
        )

    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel.CreateJobObjectW.restype = wintypes.HANDLE
    _kernel.CreateJobObjectW.argtypes = [wintypes.LPVOID, wintypes.LPCWSTR]
    _kernel.SetInformationJobObject.argtypes = [wintypes.HANDLE, ctypes.c_int, wintypes.LPVOID, wintypes.DWORD]
    _kernel.AssignProcessToJobObject.argtypes = [wintypes.HANDLE, wintypes.HANDLE]
    _kernel.GetCurrentProcess.restype = wintypes.HANDLE

    _held: list[int] = []
    """Jobs that stay open as long as this process lives: what a job says ends with its last handle."""

    def confine_self(memory_bytes: int) -> None:
        """Hold this process to `memory_bytes` of committed memory, without further processes, and without a window when it crashes.

        Raises OSError.
        """
        limits = _Limits()
        limits.basic.flags = PROCESS_MEMORY | ONE_PROCESS | DIE_ON_UNHANDLED_EXCEPTION
        limits.basic.processes = 1
        limits.process_memory = memory_bytes
        job = _job(limits)
        _held.append(job)
        _assign(job, _kernel.GetCurrentProcess())

    def end_with_parent(handle: int) -> None:
        """Let the kernel end the process of this handle when the present process ends, however it does; raises OSError."""
        _assign(_common_job(), handle)

    @cache
    def _common_job() -> int:
        """One job for all: it is closed, and everything in it ended, when this process ends."""
        limits = _Limits()
        limits.basic.flags = KILL_ON_CLOSE
        return _job(limits)

    def _job(limits: _Limits) -> int:
        job: int | None = _kernel.CreateJobObjectW(None, None)
        if not job:
            raise ctypes.WinError(ctypes.get_last_error())
        if not _kernel.SetInformationJobObject(job, EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits)):
            raise ctypes.WinError(ctypes.get_last_error())
        return job

    def _assign(job: int, process: int) -> None:
        if not _kernel.AssignProcessToJobObject(job, process):
            raise ctypes.WinError(ctypes.get_last_error())
