"""The agent as a service: `edge-agent run` in a process of its own, started again when it ends, as a service manager does."""

from __future__ import annotations

import ctypes
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from functools import cache
from pathlib import Path

import psutil

from tests.an_agent import RUN

NOBODY = 65_534
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
RESTART_S = 1.0
SLEEP_UNDER_FAKETIME = """
import select, time
time.sleep = lambda seconds: select.select([], [], [], seconds) and None
"""
"""libfaketime 0.9.10 refuses the clock_nanosleep until a monotonic time by which Python sleeps."""
EVENTS_AS_TOLD = """
import os
from edge_agent.watch.native import NativeObserver
heard = NativeObserver.on_any_event
def on_any_event(self, event):
    with open(os.environ["FAULT_BENCH_EVENTS"]) as file:
        times = file.read()
    for _ in range(int(times or 1)):
        heard(self, event)
NativeObserver.on_any_event = on_any_event
"""
"""File events reach the watcher as often as a file says: 0 suppresses them, 2 doubles them."""


@cache
def may_be_nobody() -> bool:
    """Whether the agent can run as an unprivileged user here: the interpreter's folders must be open to it."""
    if os.geteuid() != 0:
        return False
    command = [sys.executable, "-c", "import edge_agent.agent"]
    try:
        return subprocess.run(command, preexec_fn=_become_nobody, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _become_nobody() -> None:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def _without_roots_rights() -> None:
    library = ctypes.CDLL(None)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        library.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def clock_library() -> Path | None:
    """The library that gives a process its own clock."""
    return next(
        (path for name in ("libfaketimeMT.so.1", "libfaketime.so.1") for path in Path("/usr/lib").glob(f"**/faketime/{name}")), None
    )


class Supervised:
    """An agent that is started again when it ends.

    Args:
        home: gets logs, and what its clock and its file events read.
        config: its configuration.
        state_dir: where its journal lies.
    """

    def __init__(self, home: Path, config: Path, state_dir: Path) -> None:
        self._home, self._config, self._state_dir = home, config, state_dir
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        self._lives = 0
        self.ends: list[str] = []
        """How it ended when nobody had ended it."""
        self.crashes: list[str] = []
        """Of these, the ends that no restart or no person can be asked to mend."""
        self.set_clock(0)
        self.tell_events(1)

    def set_clock(self, offset_s: int) -> None:
        """Its clock from now on, off the true one."""
        self._put("clock", f"{offset_s:+d}s\n")

    def tell_events(self, times: int) -> None:
        """How often each file event reaches it from now on."""
        self._put("events", str(times))

    def _put(self, name: str, text: str) -> None:
        partial = self._home / f"{name}.part"
        partial.write_text(text)
        partial.chmod(0o644)
        partial.replace(self._home / name)

    @property
    def log(self) -> Path:
        """What the present life says."""
        return self._home / f"life-{self._lives:04d}.log"

    @property
    def pid(self) -> int | None:
        """Its process, None while there is none."""
        with self._lock:
            return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start it; whoever ended it does this."""
        with self._lock:
            self._lives += 1
            environment = {**os.environ, "OMP_NUM_THREADS": "1", "FAULT_BENCH_EVENTS": str(self._home / "events"), "HOME": str(self._home)}
            if library := clock_library():
                environment |= {
                    "LD_PRELOAD": str(library),
                    "FAKETIME_TIMESTAMP_FILE": str(self._home / "clock"),
                    "FAKETIME_CACHE_DURATION": "1",
                    "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # it is for old C libraries; with ours Python's threads would starve each other
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                    "FAKETIME_DONT_RESET": "1",
                    "FAKETIME_DISABLE_SHM": "1",
                    "NO_FAKE_STAT": "1",
                }
            drop = None
            if os.geteuid() == 0:
                drop = _become_nobody if may_be_nobody() else _without_roots_rights
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", f"{SLEEP_UNDER_FAKETIME}\n{EVENTS_AS_TOLD}\n{RUN}", "run", "--config", str(self._config)],
                    stdout=log,
                    stderr=log,
                    env=environment,
                    preexec_fn=drop,  # noqa: PLW1509 - rights are dropped between fork and exec
                )
            if not self._supervisor.is_alive() and not self._over.is_set():
                self._supervisor.start()

    def kill(self) -> bool:
        """Kill -9; whether there was something to kill. It stays away until `start`."""
        with self._lock:
            process, self._process = self._process, None
            if process is None or process.poll() is not None:
                return False
            process.kill()
            process.wait()
            return True

    def signal(self, number: int) -> None:
        """Send a signal."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._process.send_signal(number)

    def kill_decoder(self) -> bool:
        """Kill -9 a decoder; whether there was one."""
        pid = self.pid
        if pid is None:
            return False
        try:
            for child in psutil.Process(pid).children():
                if any("frames.worker" in part for part in child.cmdline()):
                    child.kill()
                    return True
        except psutil.NoSuchProcess:
            pass
        return False

    def stop(self, timeout_s: float = 15.0) -> int:
        """SIGTERM, and the exit code."""
        self._over.set()
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return -1
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def progress(self) -> tuple[int, int, int]:
        """Admissions, frames and acknowledged events so far, by the journal alone."""
        found = self.ask("SELECT (SELECT max(seq) FROM admission), (SELECT max(seq) FROM frame), published_up_to FROM journal")
        return tuple(value or 0 for value in found[0]) if found else (0, 0, 0)  # type: ignore[return-value]

    def is_judged(self, path: str, content_hash: str) -> bool:
        """Whether the journal has a result for this content."""
        return bool(self.ask("SELECT 1 FROM frame WHERE path = ? AND content_hash = ? LIMIT 1", path, content_hash))

    def ask(self, question: str, *values: object) -> list[tuple]:
        """Rows of the journal; none while it cannot be read."""
        uri = f"{(self._state_dir / 'journal.sqlite3').as_uri()}?mode=ro"
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=2)) as connection:
                return connection.execute(question, values).fetchall()
        except sqlite3.Error:
            return []

    def _supervise(self) -> None:
        while not self._over.wait(0.05):
            with self._lock:
                process = self._process
                if process is None or process.poll() is None or self._over.is_set():
                    continue
                self._process = None
                text = self.log.read_text(errors="replace").strip()
                said = f"life {self._lives} ended by itself with {process.returncode}: {text.splitlines()[-1] if text else ''}"
                self.ends.append(said)
                if "Traceback" in text or process.returncode < 0 or process.returncode == 78:
                    self.crashes.append(said)
            time.sleep(RESTART_S)
            with self._lock:
                if self._process is None and not self._over.is_set():
                    self.start()
