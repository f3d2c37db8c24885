"""Every fuzz target, without a fuzzer, over what its fuzzing starts from and over inputs that break careless readers."""

import random
from pathlib import Path

import pytest

from tests.fuzz.starts import starts
from tests.fuzz.targets import targets

DRAWS = 20
LONG = tuple(one * 6000 for one in (b"{", b"[", b"<", b"9"))
PLAIN = (b"", b"\0", b"\n", b"\xff" * 64, bytes(4096), bytes(range(256)) * 8, b"\xed\xa0\x80=\n", *LONG)
FOUND = Path(__file__).parents[2] / "fuzz" / "found"


def damaged(content: bytes, drawn: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(drawn.randrange(1, 6)):
        place = drawn.randrange(len(changed) + 1)
        changed[place : place + drawn.randrange(3)] = drawn.choice(PLAIN)[:40]
    return bytes(changed)


@pytest.mark.parametrize("name", targets())
def test_a_target_takes_whatever_comes(name: str) -> None:
    target, drawn = targets()[name], random.Random(name)
    known = [content for content in starts(name) if len(content) < 1 << 15]
    for content in (*PLAIN, *known, *(path.read_bytes() for path in sorted(FOUND.glob(f"{name}/*")))):
        target(content)
    for _ in range(DRAWS if known else 0):
        target(damaged(drawn.choice(known), drawn))
