"""What a person reads of a refused file is one clear line, whatever the file put into it."""

from pathlib import Path

import pytest

from edge_agent.core.errors import FrameRejectedError
from edge_agent.frames import decode
from edge_agent.frames.readers.sfrm import LINE
from edge_agent.frames.refusal import LONGEST, refuse


@pytest.mark.parametrize(
    "quoted", ["\x01\0", "\x1b[2J\x1b]0;owned\x07", "a\r\n\tb", "\u202egnp.exe\u2066", "\ud800", "\x9b31m", "x" * 10_000]
)
def test_a_reason_that_quotes_a_file_is_one_short_printable_line(quoted: str) -> None:
    with pytest.raises(FrameRejectedError) as refused:
        refuse("a.tif", "unsupported", f"holds {quoted} bytes")
    assert str(refused.value).isprintable()
    assert refused.value.reason.startswith("holds ")
    assert len(refused.value.reason) <= LONGEST


def test_a_bruker_header_with_control_characters_is_quoted_without_them(tmp_path: Path) -> None:
    """Found by fuzzing: `NPIXELB` of "1", 1 and 0."""
    lines = b"".join(
        line.ljust(LINE) for line in (b"FORMAT :100", b"HDRBLKS:5", b"NROWS  :64", b"NCOLS  :64", b"NPIXELB:1\x01\0 1", b"NOVERFL:0 0 0")
    )
    (tmp_path / "a.sfrm").write_bytes(lines.ljust(2560) + bytes(4096))
    with pytest.raises(FrameRejectedError, match=r"holds pixels of 1\?\?") as refused:
        decode(str(tmp_path / "a.sfrm"), "a.sfrm")
    assert refused.value.cause == "unsupported"
