"""Whether the drive that a file lies on answers at all: a decoder that waits for one that hangs is not lost over its file."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import threading

from edge_agent.core.errors import EdgeAgentError
from edge_agent.frames.reader import HEAD_BYTES
from edge_agent.frames.share import open_shared

ANSWERS_WITHIN_S = 3.0


class Drive:
    """The drive of a stream's folder; from any thread. A question that hangs is left to itself, and no other is asked meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._question: threading.Thread | None = None

    def ask_again(self) -> None:
        """Raise EdgeAgentError while an earlier question still waits for its answer."""
        if self._question is not None and self._question.is_alive():
            raise _hangs()

    def ask(self, path: str) -> None:
        """Raise EdgeAgentError, which keeps the file waiting, unless its first and last bytes can be read within ANSWERS_WITHIN_S."""
        with self._lock:
            self.ask_again()
            self._question = question = threading.Thread(target=_read, args=(path,), name="drive", daemon=True)
            question.start()
        question.join(ANSWERS_WITHIN_S)
        self.ask_again()


def _read(path: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # an error is an answer
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - a FIFO in its place never answers
            return
        with open_shared(path) as file:
            file.read(HEAD_BYTES)
            file.seek(-min(HEAD_BYTES, file.seek(0, io.SEEK_END)), io.SEEK_END)
            file.read(HEAD_BYTES)


def _hangs() -> EdgeAgentError:
    return EdgeAgentError("drive", "does not answer", "look at the share or the disk of the stream's folder; its files wait meanwhile")
