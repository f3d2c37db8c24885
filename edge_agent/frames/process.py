"""One decoder process, or another that works on files that may be bad, as its parent sees it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from edge_agent.core.errors import EdgeAgentError
from edge_agent.frames.pipe import BadMessageError, receive, receive_frames, send

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.core.errors import FrameRejectedError
    from edge_agent.core.portion import Portion
    from edge_agent.frames.pipe import Request

START_S = 60.0
LAST_WORDS_S = 1.0
KILLED = -9
"""The exit code that SIGKILL leaves."""
STOP_S = 5.0
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
SETTINGS_PREFIX = "EDGE_AGENT__"
"""Settings in the environment may be secrets; whoever works on foreign bytes has no use for them."""
WORKING_SHARE = 0.5
"""Of the time that it was given: whoever used as much of a processor was computing."""
PIPE_BYTES = 1 << 20
F_SETPIPE_SZ = 1031

Answer = TypeVar("Answer")


class DecoderLostError(Exception):
    """The process ended or was killed while it had a file."""


class DecoderProcess:
    """Starts a process, gives it one file at a time, kills it when it takes too long; blocking, for one thread at a time.

    Args:
        module: what runs in the process; it calls `edge_agent.frames.worker.serve`.

    Raises EdgeAgentError when no process can be started.
    """

    def __init__(self, module: str = "edge_agent.frames.worker") -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own modules only
                [sys.executable, "-P", "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env={**{name: value for name, value in os.environ.items() if not name.upper().startswith(SETTINGS_PREFIX)}, **ONE_THREAD},
                close_fds=True,
                process_group=0 if sys.platform != "win32" else None,  # what it may start goes with it
            )
        except OSError as error:  # no memory, or no process, to be had
            raise _not_started(module, error.strerror or str(error)) from None
        self.late = False
        """Whether it was killed because it took too long."""
        self.worked = False
        """Whether it was computing then, as far as that is known: else it was stopped, or starved, or waited for its file."""
        self.killed = False
        """Whether somebody else killed it: a file makes a process crash, or grow until it is killed, but rarely kills it at once."""
        self._stopped = False
        self._turn = threading.Lock()
        if sys.platform == "win32":
            from edge_agent.frames.job import end_with_parent  # noqa: PLC0415 - windows only

            with contextlib.suppress(OSError):  # it ends by itself all the same, once its pipe closes
                end_with_parent(int(self._process._handle))  # type: ignore[attr-defined] # noqa: SLF001 - there is no public way to it
        if sys.platform == "linux":
            import fcntl  # noqa: PLC0415 - posix only

            with contextlib.suppress(OSError):  # a frame then passes in a few pieces rather than many
                fcntl.fcntl(self._stdout, F_SETPIPE_SZ, PIPE_BYTES)
        try:
            self._within(START_S, lambda: receive(self._stdout, str))
        except DecoderLostError as lost:
            raise _not_started(module, str(lost)) from None

    @property
    def _stdout(self) -> Any:
        return self._process.stdout

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def decode(self, request: Request) -> Portion | FrameRejectedError:
        """The portion's frames, or why the file holds none; raises DecoderLostError."""
        return self.ask(request, lambda pipe: receive_frames(pipe, request), request.limits.time_s)

    def ask(self, question: Any, read: Callable[[BinaryIO], Answer], time_s: float) -> Answer:
        """The process's answer, read by `read`, which raises BadMessageError for what is none.

        Raises DecoderLostError when the process ends before it gives one, gives none, or takes longer than `time_s`.
        """

        def exchange() -> Answer:
            send(self._process.stdin, question)  # type: ignore[arg-type] # a pipe by the constructor's choice
            return read(self._stdout)

        return self._within(time_s, exchange)

    def _within(self, seconds: float, exchange: Callable[[], Answer]) -> Answer:
        self.late = self.worked = False
        answered = False
        used_s = _processor_s(self.pid)

        def too_late() -> None:
            with self._turn:  # an answer that was just in time must not cost the next file its process
                if not answered:
                    self.late = True
                    self.worked = _processor_s(self.pid) - used_s > seconds * WORKING_SHARE
                    self.kill()

        timer = threading.Timer(seconds, too_late)
        timer.daemon = True
        timer.start()
        try:
            answer = exchange()
            with self._turn:
                answered = True
        except BadMessageError as error:
            self.stop()
            raise DecoderLostError(f"answered what is no answer: {error}") from None
        except (EOFError, OSError, ValueError):
            with contextlib.suppress(subprocess.TimeoutExpired, OSError):
                self._process.wait(LAST_WORDS_S)  # it may just be ending: its exit code tells why
            self.killed = self._process.returncode == KILLED and not self.late
            self.stop()
            raise DecoderLostError(f"took more than {seconds:g} s" if self.late else f"exit code {self._process.returncode}") from None
        finally:
            timer.cancel()
        return answer

    def kill(self) -> None:
        """End the process now, and any that it started; from any thread. Whoever waits for its answer gets DecoderLostError."""
        if sys.platform == "win32":
            self._process.kill()
        elif not self._stopped:  # afterwards the number may be another group's
            with contextlib.suppress(ProcessLookupError, PermissionError):  # gone, which macOS tells by the second
                os.killpg(self._process.pid, signal.SIGKILL)

    def stop(self) -> None:
        """End the process and let go of it."""
        self.kill()
        self._stopped = True
        with contextlib.suppress(subprocess.TimeoutExpired, OSError):  # a hanging drive keeps it, or the clock was set while we slept
            self._process.wait(STOP_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _processor_s(pid: int) -> float:
    """Processor time of a process so far, in seconds; as if it did nothing where that cannot be told."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123 - no Path needed
            user, system = stat.read().rpartition(b")")[2].split()[11:13]
            return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _not_started(module: str, reason: str) -> EdgeAgentError:
    return EdgeAgentError("decoder process", f"did not start ({reason})", f"look at the memory left, or run `python -m {module}`")
