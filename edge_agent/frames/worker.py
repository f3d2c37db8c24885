"""A decoder process: requests come in on standard input, frames go out on standard output, and it ends with its parent."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from edge_agent.core.errors import FrameRejectedError
from edge_agent.frames.decode import decode
from edge_agent.frames.pipe import receive, send

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.frames.pipe import Request

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Decode files until standard input closes."""

    def answer(request: Request) -> Any:
        try:
            return decode(request.path, request.name, request.limits, request.time_zone)
        except FrameRejectedError as rejected:
            return rejected

    serve(answer)


def serve(answer: Callable[[Any], Any]) -> None:
    """Answer what comes in until standard input closes; a question has `limits`, of which the first one's memory holds."""
    inlet, outlet = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not fall among the frames
    _die_with_parent()
    send(outlet, "ready")
    limited = False
    while True:
        try:
            request = receive(inlet)
        except EOFError:
            return
        if not limited:
            _limit_memory(request.limits.memory_bytes)
            limited = True
        send(outlet, answer(request))


def _die_with_parent() -> None:
    """Linux: die with the parent even in the middle of a file; elsewhere the closed pipe ends the process after it."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - only here
        import signal  # noqa: PLC0415 - only here

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
