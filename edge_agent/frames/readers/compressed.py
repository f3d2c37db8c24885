"""Single files under gzip or bzip2, as beamlines keep detector frames: NAME.cbf.gz is what NAME.cbf is."""

from __future__ import annotations

import dataclasses
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from edge_agent.frames.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import tzinfo

    from edge_agent.frames.limits import DecodeLimits
    from edge_agent.frames.page import Page
    from edge_agent.frames.reader import Reader, Source

GZIP_RULE = "its last bytes tell a length that it can have; for certain that shows only as it is unpacked"
PIECE_BYTES = 1 << 18
TRAILER_BYTES = 8
MOST_DEFLATION = 1032
"""Deflate makes nothing smaller than by this factor (RFC 1951: 258 bytes in two bits)."""
BZIP2_END, BZIP2_END_BITS, BZIP2_TAIL_BYTES = 0x177245385090, 48, 11
"""The mark behind the last block; a checksum of 32 bits and at most 7 idle ones follow."""


@dataclass(frozen=True, slots=True)
class CompressedReader:
    """One way of compressing a file of another format; a Reader.

    Attributes:
        signature: its first bytes.
        within: readers of what may lie within; none of them opens the file by its path.
        ended: whether the file's last bytes are those of a whole one, as far as they tell.
        unpacker: makes what undoes the compression, piece by piece.
    """

    name: str
    suffix: str
    signature: bytes
    within: tuple[Reader, ...]
    rule: str
    ended: Callable[[bytes, int], bool]
    unpacker: Callable[[], Any]
    by_path: bool = False
    library: str = ""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Those of the formats within, and its own behind."""
        return tuple(inner + self.suffix for reader in self.within for inner in reader.suffixes)

    def recognises(self, head: bytes, name: str) -> bool:
        """By the first bytes, and a name that promises a frame within; an archive of anything else is none of ours."""
        return head.startswith(self.signature) and name.lower().endswith(self.suffixes)

    def lacks(self, file: BinaryIO, size: int) -> bool:
        """Whether the file does not end as a whole one does."""
        file.seek(max(0, size - BZIP2_TAIL_BYTES))
        return not self.ended(file.read(BZIP2_TAIL_BYTES), size)

    def read(self, source: Source, limits: DecodeLimits, time_zone: tzinfo | None) -> Iterator[Page]:
        """What the reader of the format within makes of the content, which is unpacked as far as limits allow."""
        content = self._unpack(source, limits)
        inner = source.name[: -len(self.suffix)]
        reader = next((reader for reader in self.within if reader.recognises(content[:1024], inner)), None)
        if reader is None:
            refuse(source.name, "wrong_type", "holds none of the formats that its name promises")
        yield from reader.read(dataclasses.replace(source, content=content), limits, time_zone)

    def _unpack(self, source: Source, limits: DecodeLimits) -> bytes:
        packed, pieces, taken = io.BytesIO(source.content), [], 0
        unpacker, waiting = self.unpacker(), b""
        while True:
            piece = unpacker.decompress(waiting, PIECE_BYTES)
            pieces.append(piece)
            taken += len(piece)
            if taken > limits.decoded_bytes:
                refuse(source.name, "too_large", f"holds more than {limits.decoded_bytes} bytes once it is unpacked")
            if unpacker.eof:
                waiting = unpacker.unused_data + packed.read(PIECE_BYTES)
                if not waiting.startswith(self.signature):  # another member may follow; padding may, too
                    return b"".join(pieces)
                unpacker = self.unpacker()
                continue
            waiting = getattr(unpacker, "unconsumed_tail", b"")  # zlib's; bz2 keeps what it has not taken yet to itself
            if not waiting and not piece:
                waiting = packed.read(PIECE_BYTES)
                if not waiting:
                    refuse(source.name, "truncated", f"{self.name} ends in the middle")


def gzip_ended(tail: bytes, size: int) -> bool:
    """A gzip file ends with how long its content is, modulo 2**32; in the middle of one that number is mostly beyond what there can be."""
    return len(tail) > TRAILER_BYTES and int.from_bytes(tail[-4:], "little") <= size * MOST_DEFLATION


def bzip2_ended(tail: bytes, size: int) -> bool:  # noqa: ARG001 - its mark is enough
    """Whether the mark of the end stands 32 to 39 bits before the end."""
    bits = int.from_bytes(tail, "big")
    mask = (1 << BZIP2_END_BITS) - 1
    return any((bits >> (32 + idle)) & mask == BZIP2_END for idle in range(8))


def _gunzip() -> Any:
    import zlib  # noqa: PLC0415 - foreign code, which only a decoder runs

    return zlib.decompressobj(wbits=31)


def _bunzip2() -> Any:
    import bz2  # noqa: PLC0415 - as above

    return bz2.BZ2Decompressor()


def compressed(within: tuple[Reader, ...]) -> tuple[Reader, Reader]:
    """Readers of these formats under gzip and under bzip2."""
    return (
        CompressedReader(
            "gzip", ".gz", b"\x1f\x8b", within, GZIP_RULE,
            gzip_ended, _gunzip,
        ),
        CompressedReader("bzip2", ".bz2", b"BZh", within, "its mark of the end is there", bzip2_ended, _bunzip2),
    )  # fmt: skip
