"""Frame references and vectors as JSON, each reference once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from edge_agent.core.verdict import FrameRef


class References:
    """Numbers the frames a state mentions."""

    def __init__(self, rows: list[list[Any]] | None = None) -> None:
        self._frames = [
            FrameRef(int(seq), str(path), int(index), None if sample is None else str(sample), datetime.fromisoformat(at))
            for seq, path, index, sample, at in rows or []
        ]

    def number(self, frame: FrameRef) -> int:
        """The frame's place in the table, entering it when it is new."""
        if frame not in self._frames:
            self._frames.append(frame)
        return self._frames.index(frame)

    def __getitem__(self, number: int) -> FrameRef:
        return self._frames[number]

    def rows(self) -> list[list[Any]]:
        """The table for JSON."""
        return [[frame.seq, frame.path, frame.frame_index, frame.sample, frame.at.isoformat()] for frame in self._frames]
