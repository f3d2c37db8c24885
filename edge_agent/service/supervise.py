"""Keeps one agent running as a child process, its log in files of bounded size: what a Windows service does, and systemd needs not."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import threading
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LOG_BYTES = 10_000_000
LOG_FILES = 5
"""The log and its predecessors: 60 MB in all."""
LONGEST_LINE = 100_000
"""Bytes of one line: whatever the child writes, memory stays bounded."""
PAUSE_S = 5.0
"""Between the end of an agent and the next start."""
STOP_S = 15.0
"""An agent that was asked to stop has this long; it ends by itself within ten seconds."""
FINAL_CODES = frozenset({0, 2, 78})
"""Exit codes after which another start would change nothing: finished, wrong usage, bad configuration."""


class Supervisor:
    """Runs the agent until it is told to stop, and starts it again when it fails.

    The agent's standard input stays open while it should run: it ends when that closes (`run --stop-with-stdin`), so that an agent never
    outlives whoever watches over it.

    Args:
        command: the agent's command line.
        log: the file its output goes to; its folder is made. Predecessors are `log`.1 to `log`.5.
        pause_s: between the end of an agent and the next start.
    """

    def __init__(self, command: Sequence[str], log: Path, *, pause_s: float = PAUSE_S) -> None:
        self._command = [*command]
        self._pause_s = pause_s
        self._stopping = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = RotatingFileHandler(log, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8", errors="replace", delay=True)
        self._log.setFormatter(logging.Formatter("%(message)s"))

    def run(self) -> int:
        """Block until `stop`, or until the agent ends for good; the agent's last exit code."""
        try:
            while True:
                code = self._once()
                if self._stopping.is_set() or code in FINAL_CODES:
                    return code
                self._say(f"the agent ended with exit code {code}; it is started again in {self._pause_s:g} s")
                if self._stopping.wait(self._pause_s):
                    return code
        finally:
            self._log.close()

    def stop(self) -> None:
        """Ask the agent to end, from any thread; it is killed when it takes longer than it may."""
        self._stopping.set()
        with self._turn:
            child = self._child
            if child is None or child.stdin is None:
                return
            with contextlib.suppress(OSError):
                child.stdin.close()
        last_resort = threading.Timer(STOP_S, child.kill)
        last_resort.daemon = True
        last_resort.start()

    def _once(self) -> int:
        with self._turn:
            if self._stopping.is_set():
                return 0
            try:
                self._child = subprocess.Popen(  # noqa: S603 - our own program only
                    self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, close_fds=True
                )
            except OSError as error:
                self._say(f"the agent cannot be started ({error.strerror or error}): {self._command[0]}")
                return 1
        child = self._child
        with child:
            if child.stdout is not None:
                while line := child.stdout.readline(LONGEST_LINE):
                    self._say(line.decode(errors="replace").rstrip("\r\n"))
        with self._turn:
            self._child = None
        return child.returncode

    def _say(self, line: str) -> None:
        self._log.emit(logging.makeLogRecord({"msg": line}))
