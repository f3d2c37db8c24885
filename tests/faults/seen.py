"""What an agent does, seen from outside: its events, its journal, its decoder."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

import psutil

from edge_agent.core.errors import JournalError
from edge_agent.journal import JournalView
from tests.an_agent import AgentProcess, frame, until, write_frame

if TYPE_CHECKING:
    from collections.abc import Iterator


IMPATIENT = """
from edge_agent.pipeline import asking, carrier, pipeline
asking.LONGEST_WAIT_S = carrier.AWAY_S = pipeline.FULL_S = 0.5
"""
"""For AgentProcess.start(first=...): tries again after half a second at most, so that a test need not wait for longer."""


def decoder_of(agent: AgentProcess) -> psutil.Process:
    """The agent's one decoder process, as soon as it runs."""

    def found() -> psutil.Process | None:
        children = psutil.Process(agent.pid).children()
        with contextlib.suppress(psutil.NoSuchProcess):
            return next((child for child in children if any("frames.worker" in part for part in child.cmdline())), None)
        return None

    process: psutil.Process = until(found, "a decoder process")
    return process


@contextlib.contextmanager
def decoder_held(agent: AgentProcess) -> Iterator[psutil.Process]:
    """Nothing is decoded within; scores a first frame, so that there is a decoder."""
    write_frame(agent.watched / "before.tif", frame(0))
    until(lambda: "before.tif" in paths(agent), f"the first frame; the agent said:\n{agent.log}")
    process = decoder_of(agent)
    process.send_signal(signal.SIGSTOP)
    try:
        yield process
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)


def paths(agent: AgentProcess, kind: str = "frame.scored") -> list[str]:
    """The paths that events of `kind` name, in order."""
    return [event["data"]["path"] for event in agent.events(kind)]


def quarantined(agent: AgentProcess) -> dict[str, str]:
    """Each quarantined file's reason."""
    return {event["data"]["path"]: event["data"]["reason"] for event in agent.events("quarantined")}


def pending(agent: AgentProcess) -> int:
    """Files that are admitted and not finished, 0 before there is a journal."""
    try:
        return sum(stream.pending for stream in JournalView(agent.state_dir).status().streams)
    except JournalError:
        return 0


def next_good_frame_is_scored(agent: AgentProcess, name: str = "next_good.tif") -> None:
    """What every fault is followed by."""
    write_frame(agent.watched / name, frame(999))
    until(lambda: name in paths(agent), f"the next good frame; the agent said:\n{agent.log}")
