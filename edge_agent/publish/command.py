"""Alerts by a program of the lab's own: one start an event, which it reads as JSON on standard input."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

from edge_agent.core.errors import ConfigurationError, EdgeAgentError, SinkUnavailableError
from edge_agent.core.own_thread import OwnThread
from edge_agent.publish.cloudevent import structured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.core.event import OutboxRow

OWN_VARIABLES = "EDGE_AGENT__"
"""Settings in the environment, secrets among them, are not the program's business."""
LAST_WORDS_S = 2.0


class CommandSink:
    """An EventSink that the program's exit code 0 acknowledges; no shell is started.

    Args:
        command: the program and its arguments, as they are.
        timeout_s: how long the program may take over one event before it is killed, with what it started where the system can.
    """

    name = "command"

    def __init__(self, command: Sequence[str], timeout_s: float) -> None:
        self._command = tuple(command)
        self._timeout_s = timeout_s
        self._thread = OwnThread("alert-command")
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._journal_id = ""

    async def recover(self, journal_id: str, _last_seq: int) -> int:
        """A program keeps no cursor: what was acknowledged stands in the outbox."""
        self._journal_id = journal_id
        return 0

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        """Run the program once a row; after SinkUnavailableError the first of them may have been taken."""
        for row in rows:
            await self._thread.call(partial(self._run, structured(row, self._journal_id) + b"\n"))

    async def check(self) -> None:
        """A program is started by nothing but an alert."""

    async def close(self) -> None:
        """Kill the program if it is running."""
        self._closed = True
        if (process := self._process) is not None:
            _kill(process)
        self._thread.end()

    def _run(self, event: bytes) -> None:
        if self._closed:
            raise self._unavailable("was not started, because the agent ends")
        try:
            program = find_program(self._command[0])
            process = subprocess.Popen(  # noqa: S603 - the operator's own command, without a shell
                [program, *self._command[1:]],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={name: value for name, value in os.environ.items() if not name.upper().startswith(OWN_VARIABLES)},
                start_new_session=True,  # so that what it started can be killed with it
            )
        except EdgeAgentError as error:
            raise self._unavailable(error.reason) from None
        except (OSError, ValueError) as error:
            raise self._unavailable(f"did not start ({getattr(error, 'strerror', None) or error})") from None
        self._process = process
        try:
            if self._closed:
                _kill(process)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(event, self._timeout_s)
            if process.returncode is None:
                raise self._unavailable(f"was killed after {self._timeout_s:g} s")
            if process.returncode:
                raise self._unavailable(f"ended with exit code {process.returncode}")
        finally:
            self._process = None
            if process.returncode is None:
                _kill(process)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(LAST_WORDS_S)
            if process.stdin is not None:
                with contextlib.suppress(OSError):
                    process.stdin.close()

    def _unavailable(self, reason: str) -> SinkUnavailableError:
        return SinkUnavailableError(
            f"the program {self._command[0]}", reason, "mend it or correct [alert] command; alerts wait in the journal"
        )


def find_program(name: str) -> str:
    """Where the program is; raises ConfigurationError when there is none or it may not be run."""
    found = shutil.which(name)
    if found is None:
        raise ConfigurationError(
            f"[alert] command = {name}", "there is no such program, or it may not be run", "give its whole path, and the right to run it"
        )
    return found


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
