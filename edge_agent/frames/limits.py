"""What a file may cost before it is refused."""

from __future__ import annotations

from dataclasses import dataclass

LEAST_FRAMES = 2
"""The fewest frames of a portion: whoever goes on reading asks for the last one again, to see that the file is still the same."""
LARGEST_PIXEL_BYTES = 4


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """Bounds that keep one bad file from taking the machine.

    Attributes:
        file_bytes: the largest file that is read whole.
        frame_pixels: the largest frame, checked before anything of its size is allocated.
        decoded_bytes: the most that all frames of a file that is read whole may come to.
        frames: the most frames in a file that is read whole.
        smallest_px: the shortest side of a frame that a model can look at.
        time_s: how long one file, or one portion of a stack, may take; a decoder that takes longer is killed.
        memory_bytes: address space of a decoder process (posix).
        portion_frames, portion_bytes: where a portion of a stack ends; it holds two frames at least, of whatever size.
        stack_frames: the most images in a stack.
    """

    file_bytes: int = 1 << 30
    frame_pixels: int = 100_000_000
    decoded_bytes: int = 1 << 29
    frames: int = 4096
    smallest_px: int = 32
    time_s: float = 30.0
    memory_bytes: int = 4 << 30
    portion_frames: int = 32
    portion_bytes: int = 32 << 20
    stack_frames: int = 1 << 22

    @property
    def answer_bytes(self) -> int:
        """The most that the pixels of one answer may come to."""
        return max(self.decoded_bytes, LEAST_FRAMES * self.frame_pixels * LARGEST_PIXEL_BYTES)
