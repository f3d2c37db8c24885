"""A file as a look may see it: only so many bytes of it, whatever its header makes a reader ask for."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from edge_agent.frames.reader import TooMuchError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Glance(io.RawIOBase):
    """Passes on what is read of a file until that comes to `most_bytes`; then raises TooMuchError.

    Args:
        file: an unbuffered file; closed with this one.
        most_bytes: how much may be read in all.
    """

    def __init__(self, file: io.RawIOBase, most_bytes: int) -> None:
        super().__init__()
        self._file = file
        self._left = most_bytes

    @property
    def name(self) -> str:
        """The file's, beside which a format without a header has its settings; "" where it has none."""
        name = getattr(self._file, "name", "")
        return name if isinstance(name, str) else ""

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is, and that costs nothing."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """As the file's."""
        return self._file.seek(offset, whence)

    def readinto(self, target: WriteableBuffer, /) -> int:
        """As the file's; raises TooMuchError."""
        count: int = self._file.readinto(target) or 0
        self._left -= count
        if self._left < 0:
            raise TooMuchError
        return count

    def close(self) -> None:
        """Close the file too."""
        self._file.close()
        super().close()
