"""Makes the pictures that alerts have promised. The journal is the queue: what is missing on disk is made, now or at the next start."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from edge_agent.core.errors import EdgeAgentError
from edge_agent.core.evidence_place import LOCAL_MAP, STRIP
from edge_agent.core.own_thread import OwnThread
from edge_agent.evidence.folder import EvidenceFolder
from edge_agent.evidence.task import Drawn, Standing, Task, Wanted, receive_drawn
from edge_agent.frames import DecodeLimits, DecoderLostError, DecoderProcess
from edge_agent.journal import JournalView

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge_agent.journal import ScoredFrame

log = structlog.get_logger(__name__)

WORKER = "edge_agent.evidence.worker"
PATIENCE_S = 300.0
"""An episode's pictures may take this long: up to sixteen files and a model, at the lowest priority."""
ATTEMPTS = 2
"""A worker killed from outside costs a second attempt; files that kill two get a note."""
RETRY_S = 60.0
"""Pause after a failure that waiting may mend, such as a full disk."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a stream's evidence comes from.

    Attributes:
        root: the stream's folder.
        model: folder of its model when that serves local maps, else None.
    """

    root: Path
    model: Path | None


class EvidenceKeeper:
    """Writes each new episode's pictures, and again when its kind changes; one at a time, in a process of its own.

    Args:
        state_dir: where the journal lies and the pictures go.
        sources: by stream.
        episodes: how many are kept, the newest; 0 makes none, and leaves what is there alone.
        limits: what reading a file may cost.
    """

    def __init__(self, state_dir: Path, sources: Mapping[str, Source], episodes: int, limits: DecodeLimits | None = None) -> None:
        self._state_dir = state_dir
        self._folder = EvidenceFolder(state_dir)
        self._sources = sources
        self._episodes = episodes
        self._limits = limits or DecodeLimits()
        self._thread = OwnThread("evidence")
        self._process: DecoderProcess | None = None
        self._work = asyncio.Event()
        self._done = asyncio.Event()
        self._closed = False

    def promised(self, stream: str) -> frozenset[str]:
        """The files that will be made of an episode on `stream`."""
        if not self._episodes:
            return frozenset()
        return frozenset({STRIP} if self._sources[stream].model is None else {STRIP, LOCAL_MAP})

    def wake(self) -> None:
        """Say that an alert was committed; call on the loop's thread."""
        if self._episodes:
            self._done.clear()
            self._work.set()

    async def run(self) -> None:
        """Make what is missing, at once and whenever woken, until cancelled."""
        waits_for = ""
        while self._episodes:
            self._work.clear()
            try:
                await self._thread.call(self._catch_up)
            except (EdgeAgentError, OSError, sqlite3.Error) as error:
                if waits_for != str(error):
                    log.warning("pictures of the evidence wait", reason=str(error))
                waits_for = str(error)
                with suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_S):
                        await self._work.wait()
                continue
            waits_for = ""
            if not self._work.is_set():
                self._done.set()
            await self._work.wait()
        self._done.set()

    async def drained(self) -> None:
        """Wait until every promised picture is made or its note is written; needs `run` to run."""
        await self._done.wait()

    def close(self) -> None:
        """Give up what is under way: the next start makes it."""
        self._closed = True
        if (process := self._process) is not None:
            process.kill()
        self._thread.end()

    # In the thread

    def _catch_up(self) -> None:
        view = JournalView(self._state_dir)
        alerts = [alert for alert in view.episodes(self._episodes) if alert.get("evidence_dir") is not None]
        self._folder.keep_only((alert["stream"], alert["episode"]) for alert in alerts)
        for alert in reversed(alerts):
            written = self._folder.record(alert["stream"], alert["episode"])
            if alert["stream"] in self._sources and (written is None or written.get("kind") != alert["kind"]):
                self._make(view, alert, written)
            if self._closed:
                return

    def _make(self, view: JournalView, alert: dict[str, Any], written: dict[str, Any] | None) -> None:
        source = self._sources[alert["stream"]]
        evidence = view.evidence(alert)
        onset = (alert["onset_path"], alert["onset_frame_index"])
        places = zip(alert["evidence_paths"], alert["evidence_frame_indices"], strict=True)
        task = Task(
            title=title_of(alert),
            before=tuple(_wanted(source, frame) for frame in evidence.before),
            evidence=tuple(_wanted(source, frame, is_onset=place == onset) for frame, place in zip(evidence.frames, places, strict=True)),
            model=source.model if alert.get("local_map") is not None else None,
            limits=self._limits,
        )
        drawn = self._draw(task)
        if self._closed or drawn is None:
            return
        shown = drawn.evidence.count(Standing.SHOWN)
        notes = list(drawn.notes)
        pictures = {STRIP: drawn.strip, LOCAL_MAP: drawn.local_map}
        before = written.get("shown", 0) if written else 0
        if shown < before:  # frames went since the episode opened: the earlier picture tells more than a new one could
            pictures = {}
            notes.insert(0, f"The pictures are those made while {before} of the evidence frames could be shown; now {shown} can.")
            shown = before
        record = {
            "episode": alert["episode"],
            "stream": alert["stream"],
            "revision": alert["revision"],
            "kind": alert["kind"],
            "shown": shown,
            "evidence": [{**_told(wanted), "standing": standing} for wanted, standing in zip(task.evidence, drawn.evidence, strict=True)],
            "before": [_told(task.before[place]) for place in drawn.before],
            "mapped": None if drawn.mapped is None else _told(task.evidence[drawn.mapped]),
        }
        self._folder.write(alert["stream"], alert["episode"], record, pictures, notes)
        log.info("pictures of the evidence", stream=alert["stream"], episode=alert["episode"], shown=shown, notes=len(notes))

    def _draw(self, task: Task) -> Drawn | None:
        """What the worker drew, or why it did not; None when the agent ends meanwhile."""
        lost = ""
        for _ in range(ATTEMPTS):
            if self._closed:
                return None
            self._process = process = DecoderProcess(WORKER)
            try:
                if self._closed:
                    return None
                drawn = process.ask(task, partial(receive_drawn, task=task), PATIENCE_S)
            except DecoderLostError as error:
                lost = str(error)
                if process.late:
                    break
            else:
                return drawn
            finally:
                self._process = None
                process.stop()
        standings = tuple(Standing.UNREADABLE for _ in task.evidence)
        return Drawn(None, None, standings, (), None, (f"No picture was made: the process that draws was lost over it ({lost}).",))


def title_of(alert: dict[str, Any]) -> tuple[str, ...]:
    """What the pictures are headed with: the alert's own words."""
    return (alert["summary"], f"Episode {alert['episode']}, revision {alert['revision']}.")


def _wanted(source: Source, frame: ScoredFrame, *, is_onset: bool = False) -> Wanted:
    data = frame.data
    return Wanted(
        root=source.root,
        name=frame.path,
        frame_index=frame.frame_index,
        content_hash=data.get("content_hash"),
        sample=data.get("sample"),
        lot=data.get("lot"),
        confidence=data.get("confidence"),
        entropy=data.get("entropy"),
        distance=data.get("distance"),
        is_onset=is_onset,
    )


def _told(wanted: Wanted) -> dict[str, Any]:
    return {
        "path": wanted.name.encode("utf-8", "backslashreplace").decode(),
        "frame_index": wanted.frame_index,
        "content_hash": wanted.content_hash,
        "sample": wanted.sample,
        "lot": wanted.lot,
        "entropy": wanted.entropy,
        "distance": wanted.distance,
    }
