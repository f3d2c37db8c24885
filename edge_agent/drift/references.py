"""Frame references and recent frames' vectors as JSON, each once: a state has to stay small."""

from __future__ import annotations

import os.path
from datetime import datetime
from typing import Any

from edge_agent.core.verdict import FrameRef
from edge_agent.drift.components import ACQUISITION, COMPONENTS, NETWORK
from edge_agent.drift.sample import Held


class References:
    """Numbers the frames a state mentions; what all their paths begin and end with is written once."""

    def __init__(self, table: list[Any] | None = None) -> None:
        prefix, suffix, rows = table or ("", "", [])
        self._frames = [
            FrameRef(int(seq), f"{prefix}{path}{suffix}", int(index), None if sample is None else str(sample), datetime.fromisoformat(at))
            for seq, path, index, sample, at in rows
        ]

    def number(self, frame: FrameRef) -> int:
        """The frame's place in the table, entering it when it is new."""
        if frame not in self._frames:
            self._frames.append(frame)
        return self._frames.index(frame)

    def __getitem__(self, number: int) -> FrameRef:
        return self._frames[number]

    def rows(self) -> list[Any]:
        """The table for JSON: the paths' common beginning and end, and a row a frame."""
        prefix = os.path.commonprefix([frame.path for frame in self._frames])  # noqa: RUF071 - of the text, to make it short
        rests = [frame.path[len(prefix) :] for frame in self._frames]
        suffix = os.path.commonprefix([rest[::-1] for rest in rests])[::-1]  # noqa: RUF071 - likewise
        rows = zip(self._frames, rests, strict=True)
        return [
            prefix,
            suffix,
            [[frame.seq, rest[: len(rest) - len(suffix)], frame.frame_index, frame.sample, frame.at.isoformat()] for frame, rest in rows],
        ]


class HeldFrames:
    """Numbers the recent frames a state holds; the calm frames of an episode are mostly its sample's recent ones."""

    def __init__(self, rows: list[list[Any]] | None = None) -> None:
        self._held = [
            Held(lot, vector) if len(vector) == len(COMPONENTS) else Held(lot, [0.0] * len(NETWORK) + vector, whole=False)
            for lot, vector in rows or []
        ]

    def number(self, held: Held) -> int:
        """The frame's place in the table, entering it when it is new."""
        if held not in self._held:
            self._held.append(held)
        return self._held.index(held)

    def __getitem__(self, number: int) -> Held:
        return self._held[number]

    def rows(self) -> list[list[Any]]:
        """The table for JSON; of a frame that is not whole, the acquisition's components alone."""
        return [[held.lot, held.vector if held.whole else [held.vector[place] for place in ACQUISITION]] for held in self._held]
