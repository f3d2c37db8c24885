"""Single bytes and bits changed: everywhere in the first kilobyte, and at the end, where some formats keep their directories."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING

from tests.hostile.seed import Hostile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.seed import Seed

HEAD, TAIL = 1024, 512
DRAWS = 64
VALUES = (0x00, 0xFF, 0x7F, 0x80, 0x0A, 0x20, 0x2D, 0x30, 0x39)
"""What a byte may become: limits, and characters that mean something in text headers."""


def flipped(seed: Seed) -> Iterator[Hostile]:
    """Each byte of the head and of the tail, changed in one way that the seed's name and place determine."""
    size = len(seed.content)
    for place in sorted({*range(min(HEAD, size)), *range(max(0, size - TAIL), size)}):
        drawn = random.Random(f"{seed.name} {place}")
        before = seed.content[place]
        after = before ^ 1 << drawn.randrange(8) if drawn.random() < 0.5 else drawn.choice(VALUES)
        if after != before:
            how = f"byte {place} is {after:#04x}, was {before:#04x}"
            yield Hostile(seed, "flipped", how, partial(replaced, seed.content, place, bytes([after])), seed.beside)


def scrambled(seed: Seed) -> Iterator[Hostile]:
    """Many bytes at once, here and there."""
    for number in range(DRAWS):
        yield Hostile(seed, "scrambled", f"draw {number}", partial(_scrambled, seed, number), seed.beside)


def replaced(content: bytes, place: int, by: bytes) -> bytes:
    """`content` with other bytes at one place."""
    return content[:place] + by + content[place + len(by) :]


def _scrambled(seed: Seed, number: int) -> bytes:
    drawn = random.Random(f"{seed.name} scrambled {number}")
    content = bytearray(seed.content)
    for _ in range(1 << drawn.randrange(1, 8)):
        content[int(len(content) * drawn.random() ** 3)] = drawn.randrange(256)
    return bytes(content)
