"""Counts, lengths and offsets that lie: words of a binary header, numbers of a text one."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from tests.hostile.flipped import replaced
from tests.hostile.seed import Hostile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.seed import Seed

HEAD, TAIL = 1024, 512
WORDS = {
    2: (b"\0" * 2, b"\xff" * 2),
    4: (b"\0" * 4, b"\xff" * 4, b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\0\0\0\x80", b"\x80\0\0\0"),
    8: (b"\xff" * 8, b"\xff" * 7 + b"\x7f", b"\x7f" + b"\xff" * 7),
}
"""0, -1 and the largest and smallest of each width, in both byte orders."""
TEXT_HEAD = 16_384
NUMBER = re.compile(rb"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
NUMBERS = (b"0", b"-1", b"2147483648", b"9223372036854775808", b"-9223372036854775808", b"1e308", b"nan", b"inf", b"9" * 5000, b"")
MOST_NUMBERS = 200


def words(seed: Seed) -> Iterator[Hostile]:
    """Each aligned word of the head and the tail, set to each limit in turn."""
    size = len(seed.content)
    places = sorted({*range(0, min(HEAD, size), 2), *range(max(0, size - TAIL) // 2 * 2, size, 2)})
    for number, place in enumerate(places):
        for width, values in WORDS.items():
            if place % min(width, 4) or place + width > size:
                continue
            value = values[(number // width) % len(values)]
            if seed.content[place : place + width] != value:
                yield Hostile(seed, "words", f"{value.hex()} at {place}", partial(replaced, seed.content, place, value), seed.beside)


def numbers(seed: Seed) -> Iterator[Hostile]:
    """Each number written in text, near the beginning of the file and in its side-cars."""
    texts = {"": seed.content[:TEXT_HEAD], **{name: text[:TEXT_HEAD] for name, text in seed.beside.items()}}
    for name, text in texts.items():
        if not name and text.count(0) > len(text) // 2:
            continue  # digits in a binary header are no numbers
        for place, found in enumerate(NUMBER.finditer(text)):
            if place >= MOST_NUMBERS:
                break
            value = NUMBERS[place % len(NUMBERS)]
            change = partial(_with_number, seed.beside[name] if name else seed.content, found.span(), value)
            how = f"{found[0][:20].decode()} is {value[:20].decode()} at {found.start()} of {name or 'itself'}"
            if name:
                yield Hostile(seed, "numbers", how, lambda: seed.content, {**seed.beside, name: change()})
            else:
                yield Hostile(seed, "numbers", how, change, seed.beside)


def _with_number(content: bytes, where: tuple[int, int], value: bytes) -> bytes:
    return content[: where[0]] + value + content[where[1] :]
