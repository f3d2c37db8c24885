"""Watches one stream's folder: notices, waits until files rest, hands over."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import structlog

from edge_agent.core.errors import ConfigurationError
from edge_agent.core.own_thread import OwnThread
from edge_agent.watch.following import Following
from edge_agent.watch.judgement import Judgement
from edge_agent.watch.look import Looker
from edge_agent.watch.native import Hints, NativeObserver
from edge_agent.watch.patterns import PathFilter
from edge_agent.watch.scan import PORTION, FolderScan
from edge_agent.watch.settling import Settling

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.core.protocols import Admissions, Clock, KnownFiles
    from edge_agent.core.telemetry import Telemetry
    from edge_agent.watch.listing import FoundFile
    from edge_agent.watch.look import Completeness
    from edge_agent.watch.settings import WatchSettings

log = structlog.get_logger(__name__)
T = TypeVar("T")

BATCH = 256
GUARD_S = 1.0
"""How often the root and the observer are checked; also the pace of polling."""
ANSWERS_WITHIN_S = 3.0
"""A root that takes longer to be looked at hangs."""
EVENTS_AGAIN_S = 3600.0
"""How long after file events could not be had they are asked for again: what keeps them away may be mended meanwhile."""
OBSERVER_START_S, OBSERVER_STOP_S = 30.0, 10.0
"""How long the operating system may take to begin and to end telling of files: a large tree takes seconds, a hanging drive for ever."""


@dataclass(frozen=True, slots=True)
class WatchState:
    """How a watcher stands; `reason` says why it does not watch, or how it watches."""

    watching: bool
    reason: str


class FolderWatcher:
    """Watches a stream's folder; see WatchSettings.

    Args:
        settings: folder, patterns and times.
        known: what the journal knows.
        admissions: takes settled files.
        is_complete: what a file's format says of it; raises OSError when it cannot be opened.
        clock: the time.
        telemetry: told of every discovery, settling and restart.
    """

    def __init__(
        self,
        settings: WatchSettings,
        *,
        known: KnownFiles,
        admissions: Admissions,
        is_complete: Callable[[Path], Completeness],
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._settings = settings
        self._known = known
        self._admissions = admissions
        self._clock = clock
        self._telemetry = telemetry
        paths = PathFilter(settings.include, settings.exclude)
        self._looker = Looker(settings.root, paths, is_complete)
        self._scan = FolderScan(str(settings.root), settings.stream, paths, known)
        self._settling = Settling(settings.settle_s)
        self._following = Following()
        self._judgement = Judgement(settings, self._settling, self._following, telemetry)
        self._thread = OwnThread(f"watch-{settings.stream}")
        self._guard_thread = OwnThread(f"guard-{settings.stream}")
        self._scan_thread = OwnThread(f"scan-{settings.stream}")
        self._native_thread = OwnThread(f"observe-{settings.stream}")
        self._hints = Hints(self._wake)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._something = asyncio.Event()
        self._scan_wanted = asyncio.Event()
        self._native: NativeObserver | None = None
        self._native_from_s = float("inf") if settings.observer == "polling" else 0.0
        self._limitation = ""
        self._root: tuple[int, int] | None = None
        self._stood: tuple[int, int] | None = None
        self._prepared = False
        self._draining = False
        self._set_state(watching=False, reason="starting")

    @property
    def stream(self) -> str:
        """The stream's name."""
        return self._settings.stream

    @property
    def state(self) -> WatchState:
        """Whether the folder is being watched, and why not."""
        return self._state

    @property
    def unseen(self) -> str:
        """Which of its folders may not be listed, in one line; "" where all may."""
        refused = self._scan.refused
        return f"{len(refused)} folder(s) cannot be listed, such as {refused[0]}: let the agent's user read them" if refused else ""

    async def prepare(self) -> None:
        """Take stock at the first run; raises ConfigurationError when the folder is missing and was never seen."""
        self._loop = asyncio.get_running_loop()
        settings = self._settings
        begun = await asyncio.to_thread(self._known.begun, settings.stream)
        self._root = await self._off(self._looker.root_identity)
        if self._root is None:
            if not begun:
                raise ConfigurationError(
                    str(settings.root),
                    "there is no such folder that this user may list",
                    f"create it, or correct path of stream {settings.stream}",
                )
            self._lost()
        else:
            if not begun and settings.start == "now":
                await self._adopt()
            if not begun:
                await self._admissions.begin(settings.stream)
            self._set_state(watching=False, reason="first scan")
        self._prepared = True

    async def run(self) -> None:
        """Watch for ever."""
        if not self._prepared:
            await self.prepare()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._guard())
                tasks.create_task(self._reconcile())
                tasks.create_task(self._settle())
        finally:
            await self._close()

    async def drain(self) -> None:
        """Hand over everything that is there now, then return; a file that never rests is given up after settle_timeout_s."""
        if not self._prepared:
            await self.prepare()
        if self._root is None:
            raise ConfigurationError(
                str(self._settings.root), "there is no such folder", "create it, connect its drive, or correct the path"
            )
        self._draining = True
        try:
            portions_left = True
            while portions_left:
                await self._look_everywhere(full=True)
                portions_left = self._scan.left
                self._set_state(watching=True, reason="")
                while len(self._settling):
                    await self._settle_due()
                    due_s = self._settling.next_due_s()
                    if due_s is not None:
                        await asyncio.sleep(max(0.0, due_s - self._clock.monotonic_s()))
        finally:
            await self._close()

    # the root and the observer

    async def _guard(self) -> None:
        """Keep the observer alive, and notice when the folder goes and comes back."""
        started = False
        while True:
            present = await self._look_at_root()
            if present is None:
                if self._root is not None or not started:
                    self._root = None
                    await self._stop_native()
                    self._lost()
            elif not started or present != self._root or (self._native is not None and not self._native.is_alive()):
                if started:
                    log.warning("the folder is watched anew", stream=self.stream, path=str(self._settings.root))
                    self._telemetry.watch_restarted(self.stream)
                self._root = self._stood = present
                await self._stop_native()
                await self._start_native()
                self._set_state(watching=True, reason=self._limitation)
                self._scan_wanted.set()
            elif not self._state.watching:  # it only hung
                self._set_state(watching=True, reason=self._limitation)
            elif self._native is None and self._clock.monotonic_s() >= self._native_from_s > 0:
                await self._start_native()
                self._set_state(watching=True, reason=self._limitation)
            started = True
            self._tell_of_open_files()
            await asyncio.sleep(GUARD_S)

    async def _look_at_root(self) -> tuple[int, int] | None:
        """What stands at the root's path; says so meanwhile when the drive hangs. In a thread of its own: looks at files may be slow."""
        look = asyncio.ensure_future(self._guard_thread.call(partial(self._looker.root_identity, self._stood)))
        try:
            if not (await asyncio.wait([look], timeout=ANSWERS_WITHIN_S))[0]:
                self._lost()
            return await look
        finally:
            look.cancel()

    async def _start_native(self) -> None:
        if self._clock.monotonic_s() < self._native_from_s:
            return
        observer = NativeObserver(self._settings.root, self._hints)
        try:
            await self._native_thread.call(observer.start, OBSERVER_START_S)
        except FileNotFoundError:
            return  # gone again: the guard's next turn tells
        except TimeoutError:  # scans wait for this no longer
            self._native_thread.end()
            self._native_thread = OwnThread(f"observe-{self.stream}")
            self._without_events(f"they did not start within {OBSERVER_START_S:g} s", "check the drive")
        except OSError as error:
            self._without_events(
                error.strerror or str(error),
                "raise fs.inotify.max_user_watches and max_user_instances" if os.name == "posix" else "check the drive",
            )
        else:
            self._native = observer
            self._native_from_s, self._limitation = 0.0, ""

    def _without_events(self, reason: str, remedy: str) -> None:
        self._native_from_s = self._clock.monotonic_s() + EVENTS_AGAIN_S
        self._limitation = f"looked at every second, no file events ({reason})"
        log.warning(
            "no file events can be had; the folder is looked at every second instead",
            stream=self.stream,
            path=str(self._settings.root),
            reason=reason,
            remedy=remedy,
        )

    async def _stop_native(self) -> None:
        observer, self._native = self._native, None
        if observer is not None:
            with contextlib.suppress(TimeoutError):  # a hanging drive: its daemon threads are left to themselves
                await self._native_thread.call(observer.stop, OBSERVER_STOP_S)

    def _lost(self) -> None:
        if self._state.watching or self._state.reason == "starting":
            log.warning("the folder is gone; waiting for it", stream=self.stream, path=str(self._settings.root))
        self._set_state(watching=False, reason=f"waiting for folder {self._settings.root}")

    def _set_state(self, *, watching: bool, reason: str) -> None:
        self._state = WatchState(watching, reason)
        self._telemetry.watch_state(self.stream, up=watching)

    # scans

    async def _reconcile(self) -> None:
        """Scan at the start, when asked, and every so often."""
        full = True
        await self._scan_wanted.wait()  # the observer comes first, so that nothing falls between it and the first scan
        while True:
            self._scan_wanted.clear()
            if self._root is not None:
                try:
                    await self._look_everywhere(full=full)
                    full = False
                except OSError as error:
                    log.warning("the folder cannot be listed", stream=self.stream, reason=error.strerror or str(error))
                    full = True
            pace_s = self._settings.scan_interval_s
            if self._native is None:
                pace_s = min(pace_s, GUARD_S)
            wait_s = max(pace_s, self._scan.pause_s(only_scans=self._native is None))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):  # asyncio.wait_for would swallow a cancellation that meets the event
                    await self._scan_wanted.wait()

    async def _look_everywhere(self, *, full: bool) -> None:
        found = await self._scan_thread.call(lambda: self._scan.find_new(full=full))
        now_s = self._clock.monotonic_s()
        self._notice(found, now_s, "scan")

    async def _adopt(self) -> None:
        """Know what is there already, portion by portion, without reading it."""
        directories = self._scan.directories(full=True)
        while True:
            directory = await self._scan_thread.call(lambda: next(directories, None))
            if directory is None:
                return
            if directory.files:
                await self._admissions.adopt(self.stream, [file.identity(self.stream) for file in directory.files])

    # settling

    def _wake(self) -> None:
        """From any thread: there are hints to collect."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the agent ends
                self._loop.call_soon_threadsafe(self._something.set)

    def _notice(self, found: list[FoundFile], now_s: float, via: str) -> None:
        for file in found:
            if self._settling.notice(file, now_s):
                self._telemetry.discovered(self.stream, via)
                self._admissions.expect(self.stream)
        if found:
            self._something.set()

    async def _settle(self) -> None:
        while True:
            self._something.clear()
            await self._collect_hints()
            await self._settle_due()
            due_s = self._settling.next_due_s()
            wait_s = None if due_s is None else max(0.0, due_s - self._clock.monotonic_s())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._something.wait()

    async def _collect_hints(self) -> None:
        hints, scan = self._hints.collect()
        if scan:
            self._scan_wanted.set()
        if not hints:
            return
        now_s = self._clock.monotonic_s()
        states = await self._off(lambda: [(self._looker.state(path), written) for path, written in hints.items()])
        self._notice([state for state, _ in states if state is not None], now_s, "event")
        for state, written in states:
            if state is not None and written:
                self._settling.touch(state.path, now_s)

    async def _settle_due(self) -> None:
        while due := self._settling.due(self._clock.monotonic_s(), BATCH):
            sights = await self._off(partial(self._looker.look_all, [candidate.file for candidate in due]))
            now_s, now_ns = self._clock.monotonic_s(), self._clock.now_ns()
            away, draining = self._root is None, self._draining
            settled = [
                self._judgement.judge(candidate, sight, file, now_s, now_ns, away=away, draining=draining)
                for candidate, (sight, file) in zip(due, sights, strict=True)
            ]
            done = [file for file in settled if file is not None]
            if done:
                await self._admissions.admit(done)
            for file in done:
                self._settling.drop(file.file.path)
        if self._scan.left and len(self._settling) < PORTION // 2:
            self._scan_wanted.set()

    def _tell_of_open_files(self) -> None:
        waited_s = self._settings.settle_timeout_s
        for path in self._following.left_open(self._clock.monotonic_s() - waited_s):
            log.warning(
                "its writer has a file open and added nothing for a while; what it holds was taken",
                stream=self.stream,
                path=path,
                for_s=waited_s,
                remedy="nothing to do while the writer runs; if it ended without closing the file, run `h5clear -s` on it",
            )

    async def _off(self, work: Callable[[], T]) -> T:
        """Do blocking work in the watcher's own thread: a hanging network drive holds nobody else up."""
        return await self._thread.call(work)

    async def _close(self) -> None:
        await self._stop_native()
        for thread in (self._thread, self._guard_thread, self._scan_thread, self._native_thread):
            thread.end()
