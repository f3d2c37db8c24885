"""Drive letters that a Windows service cannot see: those that a person's own session has given."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from edge_agent.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import PureWindowsPath


class Drives(Protocol):
    """What stands behind the drive letters of the present session."""

    def share(self, letter: str) -> str | None:
        r"""The UNC name, such as \\server\images, that a letter such as "Z:" is mapped to; None for a letter that is not mapped."""
        ...

    def substituted(self, letter: str) -> str | None:
        """The folder that `subst` has given the letter; None for any other letter."""
        ...


def refuse_unseen_drives(paths: Mapping[str, PureWindowsPath], drives: Drives) -> None:
    r"""Raise ConfigurationError for the first of `paths` (each by the name of its setting) that a service could not open.

    Mapped letters and those made by `subst` belong to the session of the person who made them; a service has a session of its own.
    """
    for setting, path in paths.items():
        letter = path.drive
        if len(letter) != 2 or not letter.endswith(":"):
            continue  # a UNC name, or a relative path
        behind = drives.share(letter) or drives.substituted(letter)
        if behind is None:
            continue
        instead = behind.rstrip("\\") + str(path)[len(letter) :]
        raise ConfigurationError(
            f"{setting} = {path}",
            f"drive {letter} is {behind} in your session only: a service cannot see it",
            f"write it as '{instead}', and give the service an account that may read it (--account)",
        )


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    LONGEST = 32_768
    NO_ERROR = 0
    SUBSTITUTED = "\\??\\"

    class SessionDrives:
        """The letters of the session this process runs in; a Drives."""

        def share(self, letter: str) -> str | None:
            """By WNetGetConnection."""
            name = ctypes.create_unicode_buffer(LONGEST)
            length = wintypes.DWORD(LONGEST)
            failed = ctypes.WinDLL("mpr").WNetGetConnectionW(letter, name, ctypes.byref(length))
            return name.value if failed == NO_ERROR and name.value else None

        def substituted(self, letter: str) -> str | None:
            r"""By QueryDosDevice, which gives \??\C:\folder for a substituted letter and a device for any other."""
            name = ctypes.create_unicode_buffer(LONGEST)
            found = ctypes.WinDLL("kernel32").QueryDosDeviceW(letter, name, LONGEST)
            return name.value.removeprefix(SUBSTITUTED) if found and name.value.startswith(SUBSTITUTED) else None
