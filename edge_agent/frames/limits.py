"""What a file may cost before it is refused."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """Bounds that keep one bad file from taking the machine.

    Attributes:
        file_bytes: the largest file that is read.
        frame_pixels: the largest frame, checked before anything of its size is allocated.
        decoded_bytes: the most that all frames of one file may come to.
        frames: the most frames in one file.
        smallest_px: the shortest side of a frame that a model can look at.
        time_s: how long one file may take; a decoder that takes longer is killed.
        memory_bytes: address space of a decoder process (posix).
    """

    file_bytes: int = 1 << 30
    frame_pixels: int = 100_000_000
    decoded_bytes: int = 1 << 29
    frames: int = 4096
    smallest_px: int = 32
    time_s: float = 30.0
    memory_bytes: int = 4 << 30
