"""What passes between the agent and the process that draws."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, BinaryIO

from edge_agent.frames.pipe import BadMessageError, receive

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.frames import DecodeLimits


class Standing(StrEnum):
    """What became of a frame since it was judged; the values stand in evidence.json."""

    SHOWN = "shown"
    CHANGED = "changed"
    GONE = "gone"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A frame to be shown.

    Attributes:
        root, name: the stream's folder, and the file relative to it.
        frame_index: place within the file.
        content_hash: of its pixels when it was judged; None when the journal no longer knows.
        sample, lot: what it belongs to and what was predicted; None when not known.
        confidence, entropy, distance: as it was scored; entropy in nats; None when not known.
        is_onset: whether the episode began with it.
    """

    root: Path
    name: str
    frame_index: int
    content_hash: str | None
    sample: str | None = None
    lot: str | None = None
    confidence: float | None = None
    entropy: float | None = None
    distance: float | None = None
    is_onset: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """One episode's pictures.

    Attributes:
        title: what the strip is headed with, a few lines.
        before: frames from before the onset, the best first; the first `COMPARED` that can be read are shown.
        evidence: the evidence frames, in their order.
        model: folder of a model that serves local maps; None for no map.
        limits: what reading a file may cost.
    """

    title: tuple[str, ...]
    before: tuple[Wanted, ...]
    evidence: tuple[Wanted, ...]
    model: Path | None
    limits: DecodeLimits


COMPARED = 2
"""Frames from before the onset that are shown."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What came of it.

    Attributes:
        strip, local_map: PNG; None where there was nothing to draw.
        evidence: what became of each evidence frame, in their order.
        before: the comparison frames that are shown, as places in the task's `before`.
        mapped: the evidence frame under the map, as place in the task's `evidence`; None without a map.
        notes: why something is missing, for people.
    """

    strip: bytes | None
    local_map: bytes | None
    evidence: tuple[Standing, ...]
    before: tuple[int, ...]
    mapped: int | None
    notes: tuple[str, ...]


PICTURES_BYTES = 64 << 20
"""The most that an episode's pictures may come to."""
PNG = b"\x89PNG\r\n\x1a\n"


def receive_drawn(pipe: BinaryIO, task: Task) -> Drawn:
    """Read what was drawn for `task` from a process that a file may have taken over; raises as `receive`."""
    drawn = receive(pipe, Drawn, PICTURES_BYTES, for_people=True)
    places = [(place, task.before) for place in drawn.before] + [(drawn.mapped or 0, task.evidence)]
    if (
        len(drawn.evidence) != len(task.evidence)
        or not all(0 <= place < max(1, len(among)) for place, among in places)
        or not all(picture is None or picture.startswith(PNG) for picture in (drawn.strip, drawn.local_map))
    ):
        raise BadMessageError("pictures of another task")
    return drawn
