"""What is written into a journal in tests: settled files, events and scored frames of one stream."""

from __future__ import annotations

import json

from edge_agent.core.event import Event
from edge_agent.core.frame import Admission, FileIdentity, SettledFile, SettleOutcome
from edge_agent.journal import FinishedFile, FrameRecord, Outcome

S = "sem"


def settled(path: str, size: int = 1, mtime_ns: int = 1, outcome: SettleOutcome = SettleOutcome.COMPLETE) -> SettledFile:
    return SettledFile(FileIdentity(S, path, size, mtime_ns), outcome, 7, "")


def event(number: int, kind: str = "edge.frame.scored.v1", size: int = 0, **data: object) -> Event:
    payload = json.dumps({"number": number, "fill": "x" * size, **data}).encode()
    return Event(f"id-{number}", kind, "/edge-agent/a", S, "2026-01-01T00:00:00Z", "edge.frames", f"a/{S}", payload)


def scored(admission: Admission, *hashes: str, generation: int | None = None, first: int = 0) -> FinishedFile:
    data = json.dumps({"path": admission.file.path, "stream": S}).encode()
    frames = tuple(FrameRecord(first + i, text, f"id-{i}", data, ((0.1, 0.2),)) for i, text in enumerate(hashes))
    return FinishedFile(admission, Outcome.SCORED, admission.generation if generation is None else generation, frames)
