"""Opening a file to read without standing in the way of whoever writes, renames or deletes it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from io import FileIO

if sys.platform == "win32":
    import ctypes
    import msvcrt
    import os
    from ctypes import wintypes

    GENERIC_READ = 0x80000000
    SHARE_READ_WRITE_DELETE = 1 | 2 | 4
    OPEN_EXISTING = 3
    FILE_ATTRIBUTE_NORMAL = 0x80
    INVALID_HANDLE = ctypes.c_void_p(-1).value

    _create_file = ctypes.WinDLL("kernel32", use_last_error=True).CreateFileW
    _create_file.restype = wintypes.HANDLE
    _create_file.argtypes = [
        wintypes.LPCWSTR, wintypes.DWORD, wintypes.DWORD, wintypes.LPVOID, wintypes.DWORD, wintypes.DWORD, wintypes.HANDLE,
    ]  # fmt: skip

    def open_shared(path: str) -> FileIO:
        """The file, unbuffered, to read; raises OSError. Python's own `open` would keep others from renaming or deleting it."""
        handle = _create_file(path, GENERIC_READ, SHARE_READ_WRITE_DELETE, None, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, None)
        if handle is None or handle == INVALID_HANDLE:
            code = ctypes.get_last_error()
            raise OSError(0, ctypes.FormatError(code), path, code)
        return open(msvcrt.open_osfhandle(handle, os.O_RDONLY), "rb", buffering=0)  # noqa: PTH123 - a descriptor, not a path

else:

    def open_shared(path: str) -> FileIO:
        """The file, unbuffered, to read; raises OSError."""
        return open(path, "rb", buffering=0)  # noqa: PTH123 - the path may hold what pathlib would normalise away
