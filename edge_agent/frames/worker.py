"""A decoder process: requests come in on standard input, frames go out on standard output, and it ends with its parent."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeVar

from edge_agent.core.errors import FrameRejectedError
from edge_agent.core.memory import return_free_memory
from edge_agent.frames.confinement import allow_time, be_first_to_go, confine
from edge_agent.frames.decode import decode_portion
from edge_agent.frames.pipe import READY, Request, receive, send, send_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.core.portion import Portion
    from edge_agent.frames.limits import DecodeLimits

PR_SET_PDEATHSIG = 1
TIDY_EVERY = 500
"""Answers after which free memory goes back to the system: a large file must not be felt for ever."""


class Limited(Protocol):
    """What a process can be asked."""

    @property
    def limits(self) -> DecodeLimits:
        """What answering may cost."""
        ...


Question = TypeVar("Question", bound=Limited)
Answer = TypeVar("Answer")


def main() -> None:
    """Decode files until standard input closes."""

    def answer(request: Request) -> Portion | FrameRejectedError:
        allow_time(request.limits.time_s)
        try:
            return decode_portion(request.path, request.name, request.limits, request.time_zone, request.first)
        except FrameRejectedError as rejected:
            return rejected

    serve(Request, answer, send_frames)


def serve(
    kind: type[Question], answer: Callable[[Question], Answer], reply: Callable[[BinaryIO, Answer], None], *, alone: bool = True
) -> None:
    """Answer questions of a `kind` until standard input closes; the first one's `limits` hold; `alone`: see `confine`."""
    inlet, outlet = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not fall among the frames
    _die_with_parent()
    be_first_to_go()
    send(outlet, READY)
    confined, answers = False, 0
    while True:
        try:
            question = receive(inlet, kind)
        except EOFError:
            return
        if not confined:
            confine(question.limits, alone=alone)
            confined = True
        reply(outlet, answer(question))
        answers += 1
        if answers % TIDY_EVERY == 0:
            return_free_memory()


def _die_with_parent() -> None:
    """Linux: die with the parent even in the middle of a file; elsewhere the closed pipe ends the process after it."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - only here
        import signal  # noqa: PLC0415 - only here

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
