"""Some of a file's frames: a stack may hold more than memory does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_agent.core.frame import Frame


@dataclass(frozen=True, slots=True)
class RefusedFrame:
    """A frame that cannot be used while others of its file can.

    Attributes:
        frame_index: place within its file, from 0.
        content_hash: SHA-256, hexadecimal, of what is stored there; "" where it cannot be read.
        cause, reason, remedy: see FrameRejectedError.
    """

    frame_index: int
    content_hash: str
    cause: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Portion:
    """Consecutive frames of one file.

    Attributes:
        frames, refused: those that can be used and those that cannot, each in the order of the file.
        next_first: where the next portion begins; None when there is none at present.
        growing: whether the file's writer still has it open: more may come, and none need be there yet.
    """

    frames: tuple[Frame, ...]
    refused: tuple[RefusedFrame, ...] = ()
    next_first: int | None = None
    growing: bool = False

    @property
    def contents(self) -> dict[int, str]:
        """Map each frame's place to its content hash."""
        return {
            **{frame.frame_index: frame.content_hash for frame in self.frames},
            **{frame.frame_index: frame.content_hash for frame in self.refused},
        }
