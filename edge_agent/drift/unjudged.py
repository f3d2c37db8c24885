"""Frames that are not judged: a stream of which nothing is said must not look like one on which nothing is wrong."""

from __future__ import annotations

from dataclasses import dataclass

WINDOW = 32
"""Frames of the recent past that are looked at."""
MANY = 16
"""So many of them that were not judged make a stream one that is not watched."""
LONGEST_REASON = 160


@dataclass(slots=True)
class Unjudged:
    """One stream's frames that could not be judged lately; pure and serialisable, as the judge that holds it.

    Attributes:
        lately: which of the last WINDOW frames were not judged, a bit each, the newest in bit 0.
        reason: why the last such frame was not.
    """

    lately: int = 0
    reason: str = ""

    def take(self, reason: str) -> None:
        """Take one frame; `reason` is "" when it was judged."""
        self.lately = (self.lately << 1 | bool(reason)) % (1 << WINDOW)
        if reason:
            self.reason = reason[:LONGEST_REASON]
        elif not self.lately:
            self.reason = ""

    @property
    def told(self) -> str:
        """For people, why the stream is not watched; "" while most frames are judged."""
        number = self.lately.bit_count()
        if number < MANY:
            return ""
        return f"{number} of the last {WINDOW} frames were not judged: {self.reason}"
