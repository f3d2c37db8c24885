"""What a file that no reader knows is said to be."""

from __future__ import annotations

import random

import pytest

from edge_agent.frames.signature import LOOK_BYTES, describe


def test_noise_is_not_said_to_be_text() -> None:
    source = random.Random(7)
    assert {describe(source.randbytes(3000)) for _ in range(2000)} == {"of no known format"}


@pytest.mark.parametrize(
    "text",
    [
        b"hello, this is text",
        b"\tTime;Value\r\n1;2\r\n" * 9,
        "Vergr\u00f6\u00dferung 5000, Spannung 15 kV\n".encode("latin-1") * 9,
        "\u500d\u7387 5000\n".encode() * 9,
        ("x" * (LOOK_BYTES - 1) + "\u00b5m and so on").encode(),
    ],
)
def test_text_is_said_to_be_text_whatever_its_encoding(text: bytes) -> None:
    assert describe(text) == "text"


@pytest.mark.parametrize("head", [b"a header\x01\x02", b"hello, world\x00", b"printable\x7f", bytes(range(0x80, 0xC0))])
def test_what_cannot_be_printed_is_none(head: bytes) -> None:
    assert describe(head) == "of no known format"
