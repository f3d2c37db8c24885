"""What stands in a folder and is no ordinary file, and ordinary files with names that few programs expect."""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NAMES: tuple[bytes, ...] = (
    b"new\nline.tif",
    b"return\rand\ttab.tif",
    b"latin1 gr\xf6\xdfe.tif",
    b"\xff\xfe\xed\xa0\x80.tif",
    b"-rf --no-preserve-root.tif",
    b"$(reboot);`reboot`|&.tif",
    b"' OR 1=1; DROP TABLE file; --.tif",
    b"%s%n%x {0} {agent!r} \\u0000.tif",
    b"  spaces at both ends .tif",
    b"\x1b[2J\x1b]0;owned\x07.tif",
    b"\xe2\x80\xaefit.exe\xe2\x81\xa6.tif",
    "\u202eturned\u200b\ufeff.tif".encode(),
    "e\u0301 and \u00e9.tif".encode(),
    b"CON.tif",
    b"a:b.tif",
    b"back\\slash.tif",
    b"9" * 250 + b".tif",
    b"x" * 251 + b".tif",
    b"_" * 120 + b"1_" * 50 + b".tif",
)
FOLDER_NAMES: tuple[bytes, ...] = (b"sample \xff\xfe", b"sam\nple", b"not ..hidden", b"x" * 255, "\u202esample".encode())
DEEPEST = 40


def put_names(root: Path, content: bytes) -> list[str]:
    """A good frame under every name and in folders of every name; the paths, relative to `root`, that this file system takes."""
    paths = [*NAMES, *(folder + b"/a.tif" for folder in FOLDER_NAMES), b"d/" * DEEPEST + b"deep.tif"]
    taken = []
    for path in paths:
        place = root / os.fsdecode(path)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        except OSError:
            continue
        taken.append(os.fsdecode(path))
    return taken


def put_things(root: Path) -> list[str]:
    """What is no ordinary file, each under a frame's name; what this user may not make is left out."""
    made = []

    def thing(name: str, make) -> None:
        try:
            make(root / name)
        except OSError:
            return
        made.append(name)

    thing("folder.tif", lambda path: path.mkdir())
    thing("fifo.tif", os.mkfifo)
    thing("zero.tif", lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5)))
    thing("disk.tif", lambda path: os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(7, 0)))
    thing("linked_zero.tif", lambda path: path.symlink_to("/dev/zero"))
    thing("linked_fifo.tif", lambda path: path.symlink_to("fifo.tif"))
    thing("linked_terminal.tif", lambda path: path.symlink_to("/dev/tty"))
    thing("self.tif", lambda path: path.symlink_to(path))
    thing("ring_a.tif", lambda path: path.symlink_to(root / "ring_b.tif"))
    thing("ring_b.tif", lambda path: path.symlink_to(root / "ring_a.tif"))
    thing("nowhere.tif", lambda path: path.symlink_to("/no/such/file.tif"))
    thing("up", lambda path: path.symlink_to(root, target_is_directory=True))
    thing("out", lambda path: path.symlink_to("/proc", target_is_directory=True))
    thing("socket.tif", _socket)
    return made


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(path))
