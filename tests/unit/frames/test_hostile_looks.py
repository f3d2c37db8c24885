"""A look at a file happens in the agent's own process: no file, and no reader of another package, may end or bloat it."""

import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from edge_agent.core.errors import FrameRejectedError
from edge_agent.frames import completeness, decode, registry
from edge_agent.frames.completeness import ends_early
from edge_agent.frames.readers.sfrm import LINE, SFRM
from tests.hostile_files import picture


class Confused:
    """A reader that does in `lacks` what it is told."""

    name, suffixes, rule, by_path, library = "confused", (".odd",), "never", False, ""

    def __init__(self, deed: Any) -> None:
        self._deed = deed

    def recognises(self, head: bytes, name: str) -> bool:
        return head.startswith(b"odd")

    def lacks(self, file: Any, size: int) -> bool:
        return bool(self._deed(file))

    def read(self, *_: Any) -> Any:
        raise IndexError("nothing here")


def raises(error: BaseException) -> Any:
    def deed(_: Any) -> None:
        raise error

    return deed


def again_and_again(file: Any) -> None:
    while True:
        file.seek(0)
        file.read(1 << 20)


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    with (tmp_path / "a.odd").open("wb") as file:
        file.write(b"odd")
        file.truncate(1 << 30)
    return tmp_path / "a.odd"


@pytest.mark.parametrize(
    "deed",
    [
        raises(ValueError("negative")),
        raises(IndexError()),
        raises(RecursionError()),
        raises(OverflowError()),
        lambda file: file.read(),
        lambda file: file.read(1 << 62),
        lambda file: file.readline(),
        lambda file: file.seek(1 << 63),
        lambda file: file.seek(-5),
        again_and_again,
    ],
    ids=["ValueError", "IndexError", "RecursionError", "OverflowError", "all", "too much", "a line", "far", "before", "again and again"],
)
def test_a_reader_that_fails_or_reads_too_much_makes_a_file_unknown(odd: Path, monkeypatch: pytest.MonkeyPatch, deed: Any) -> None:
    monkeypatch.setattr(registry, "readers", lambda: (Confused(deed),))
    tracemalloc.start()
    assert completeness(odd) == "unknown"
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 100 << 20


def test_a_reader_that_fails_over_the_first_bytes_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    confused = Confused(raises(ValueError()))
    confused.recognises = raises(ValueError("what is this?"))  # type: ignore[method-assign]
    known = registry.readers()
    monkeypatch.setattr(registry, "readers", lambda: (confused, *known))
    (tmp_path / "a.png").write_bytes(picture("PNG"))
    assert completeness(tmp_path / "a.png") == "complete"
    assert len(decode(str(tmp_path / "a.png"), "a.png")) == 1


def test_what_cannot_be_told_to_end_early_failed_to_decode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.odd").write_bytes(b"odd one")
    monkeypatch.setattr(registry, "readers", lambda: (Confused(raises(ValueError("negative"))),))
    with pytest.raises(FrameRejectedError) as refused:
        decode(str(tmp_path / "a.odd"), "a.odd")
    assert refused.value.cause == "decoder_failed"


def test_a_bruker_header_of_no_blocks_is_no_look_backwards(tmp_path: Path) -> None:
    lines = b"".join(line.encode().ljust(LINE) for line in ("FORMAT :100", "HDRBLKS:0", "NROWS  :64", "NCOLS  :64", "NPIXELB:1 1"))
    (tmp_path / "a.sfrm").write_bytes(lines + b" " * 8192)
    with (tmp_path / "a.sfrm").open("rb") as file:
        assert SFRM.recognises(file.read(1024), "a.sfrm")
        file.seek(0)
        assert SFRM.lacks(file, 8192 + len(lines)) is False
    assert completeness(tmp_path / "a.sfrm") == "complete"


def test_a_file_that_shrinks_under_the_look_does_not_end_it(tmp_path: Path) -> None:
    """An instrument that rewrites a file in place truncates it first: its strips' table is then gone from where it was."""
    tags = b"".join(struct.pack("<HHII", tag, 3, 1000, 200) for tag in (273, 279))
    content = struct.pack("<2sHIH", b"II", 42, 8, 2) + tags + bytes(4)
    (tmp_path / "a.tif").write_bytes(content)
    reader = registry.reader_of(content, "a.tif")
    assert reader is not None
    with (tmp_path / "a.tif").open("rb") as file:
        assert not ends_early(reader, file, size=10_000)
