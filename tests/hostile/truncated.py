"""Files cut short: at every kilobyte, of files larger than a megabyte at every second or third, and byte by byte where headers end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.hostile.seed import Hostile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.seed import Seed

KILOBYTE, MEGABYTE = 1 << 10, 1 << 20
HEADER_ENDS = (*range(1, 17), 27, 54, 84, 96, 100, 128, 256, 512, 600, 5120, 7680)
"""Where one format's header or another's first structure ends; each is tried with its neighbours."""


def truncated(seed: Seed) -> Iterator[Hostile]:
    """Every cut of the seed."""
    size = len(seed.content)
    around = {place + off for place in HEADER_ENDS for off in (-1, 0, 1)}
    for length in sorted({*range(KILOBYTE, size, KILOBYTE * -(-size // MEGABYTE)), *around, size - 1, size - 4, size // 2}):
        if 0 <= length < size:
            yield Hostile(seed, "truncated", f"cut at {length} of {size}", partial(_cut, seed.content, length), seed.beside)
    for length in (size // 2, KILOBYTE):
        yield Hostile(seed, "truncated", f"zeros from {length}", partial(_zeroed, seed.content, length), seed.beside)


def _cut(content: bytes, length: int) -> bytes:
    return content[:length]


def _zeroed(content: bytes, length: int) -> bytes:
    return content[:length] + bytes(max(0, len(content) - length))
