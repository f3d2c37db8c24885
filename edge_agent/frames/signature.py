"""What a file that no reader knows seems to be, so that a person sees at once what was put there."""

from __future__ import annotations

STRANGERS: tuple[tuple[bytes, str], ...] = (
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"MZ", "a Windows program"),
    (b"<?xml", "an XML text"),
    (b"RIFF", "a RIFF container"),
)
"""Formats that are only named."""
LOOK_BYTES = 64
TEXT_BYTES = 8


def describe(head: bytes) -> str:
    """What a file that is not read seems to be, by its first bytes.

    >>> describe(b"%PDF-1.7"), describe(b"hello, world")
    ('a PDF document', 'text')
    """
    head = head[:LOOK_BYTES]
    known = next((said for signature, said in STRANGERS if head.startswith(signature)), None)
    if known is not None:
        return known
    if not any(head):
        return "nothing but zeros"
    if all(byte in b"\t\r\n" or byte >= 0x20 for byte in head[:TEXT_BYTES]) and b"\x00" not in head:
        return "text"
    return "of no known format"
