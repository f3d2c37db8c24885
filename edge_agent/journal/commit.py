"""What becomes durable together."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.core.event import Event
    from edge_agent.core.frame import Admission
    from edge_agent.core.portion import RefusedFrame


class Outcome(StrEnum):
    """What became of an admitted file; the values stand in the journal and in `status`."""

    SCORED = "scored"
    QUARANTINED = "quarantined"
    COMPANION = "companion"
    REPEAT = "repeat"


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """One scored frame as the journal keeps it.

    Attributes:
        frame_index: place within its file, from 0.
        content_hash: SHA-256, hexadecimal, of the pixels.
        event_id: the id of its scored event.
        data: that event's data, a flat JSON object: kept and told cannot differ.
        field_entropy: shape (rows, columns), entropy of each field's mean prediction, nats: the map that events leave out.
    """

    frame_index: int
    content_hash: str
    event_id: str
    data: bytes
    field_entropy: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class FinishedFile:
    """An admitted file that needs no more work, or a portion of one.

    Attributes:
        admission: as the journal gave it.
        outcome: what became of it; repeat when its content was judged before; None while further portions of it are to come.
        generation: as admitted, or the earlier one it kept because a stack only grew or nothing changed.
        frames: the frames judged now; of a grown stack only the new ones.
        refused: the frames that could not be used while others of the file could.
        cause: why it is in quarantine, one of `QUARANTINE_REASONS`; None otherwise.
        detail: the same for a person; None otherwise.
    """

    admission: Admission
    outcome: Outcome | None
    generation: int
    frames: tuple[FrameRecord, ...] = ()
    refused: tuple[RefusedFrame, ...] = ()
    cause: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """One transaction: all of it is durable, or none.

    Attributes:
        files: the finished files and portions, in sequence order.
        drift_states: each touched stream's judge, as `Judge.to_json` gave it.
        events: what the world will be told, in order.
    """

    files: tuple[FinishedFile, ...] = ()
    drift_states: Mapping[str, str] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
