"""What a file that no reader knows seems to be, so that a person sees at once what was put there."""

from __future__ import annotations

import codecs

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
WHITE = b"\t\n\f\r"
MOST_FOREIGN_SHARE = 0.3
"""Of a text in an older encoding, bytes beyond ASCII; of noise it is half."""


def describe(head: bytes) -> str:
    """What a file that is not read seems to be, by its first bytes.

    >>> describe(b"%PDF-1.7"), describe(b"hello, world")
    ('a PDF document', 'text')
    """
    cut = len(head) > LOOK_BYTES
    head = head[:LOOK_BYTES]
    known = next((said for signature, said in STRANGERS if head.startswith(signature)), None)
    if known is not None:
        return known
    if not any(head):
        return "nothing but zeros"
    return "text" if _is_text(head, whole=not cut) else "of no known format"


def _is_text(head: bytes, *, whole: bool) -> bool:
    """Whether all of it can be printed, as UTF-8 or in an older encoding; eight bytes of noise can be in a third of all cases."""
    if any((byte < 0x20 and byte not in WHITE) or byte == 0x7F for byte in head):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=whole)
    except UnicodeDecodeError:
        return sum(byte >= 0x80 for byte in head) <= MOST_FOREIGN_SHARE * len(head)
    return True
