import struct
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.frames import completeness
from edge_agent.frames.share import open_shared
from tests.hostile_files import micrograph, picture, tiff

WHOLE = {
    "TIFF": tiff(micrograph()),
    "BigTIFF": tiff(micrograph(), bigtiff=True, byteorder=">"),
    "tiled TIFF": tiff(micrograph(), tile=(16, 16), compression="zlib"),
    "stack": tiff(micrograph(64 * 3).reshape(3, 64, 80)),
    "PNG": picture("PNG"),
    "JPEG": picture("JPEG"),
    "BMP": picture("BMP"),
}


@pytest.mark.parametrize("form", WHOLE)
def test_a_file_is_growing_until_its_last_byte_that_matters(tmp_path: Path, form: str) -> None:
    path, content = tmp_path / "a", WHOLE[form]
    path.write_bytes(content)
    assert completeness(path) == "complete"
    lengths = sorted({*range(0, len(content) - 4, max(1, len(content) // 97)), 1, 7, 8, 9, 12, 16, 100})
    for length in lengths:
        path.write_bytes(content[:length])
        assert completeness(path) == "growing", length


def test_space_reserved_ahead_is_not_a_whole_file_and_a_stranger_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(bytes(1000))
    assert completeness(tmp_path / "a.tif") == "growing"
    (tmp_path / "a.tif").write_bytes(b"hello, this is text")
    assert completeness(tmp_path / "a.tif") == "unknown"


def test_a_stack_of_a_thousand_pages_takes_milliseconds(tmp_path: Path) -> None:
    import tifffile

    with tifffile.TiffWriter(tmp_path / "a.tif") as stack:
        for _ in range(1000):
            stack.write(np.eye(32, dtype=np.uint8), contiguous=False, metadata=None)
    assert completeness(tmp_path / "a.tif") == "complete"


@given(st.sampled_from(sorted(WHOLE)), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=12))
@settings(max_examples=150, deadline=None)
def test_a_damaged_header_never_raises(tmp_path_factory: pytest.TempPathFactory, form: str, changes: list[tuple[float, int]]) -> None:
    content = bytearray(WHOLE[form])
    for place, value in changes:
        content[int(place * min(len(content) - 1, 400)) if place < 0.8 else -1 - int((place - 0.8) * 1000)] = value
    path = tmp_path_factory.getbasetemp() / "damaged-header"
    path.write_bytes(content)
    assert completeness(path) in {"complete", "growing", "unknown"}


def directory(strips: int, place: int, following: int) -> bytes:
    """A directory of one tag pair whose arrays both lie at `place`."""
    tags = b"".join(struct.pack("<HHII", tag, 3, strips, place) for tag in (273, 279))
    return struct.pack("<H", 2) + tags + struct.pack("<I", following)


@pytest.mark.parametrize(("directories", "strips"), [(2000, 50_000), (1, 5_000_000)])
def test_a_header_made_to_cost_time_or_memory_is_left_to_the_decoder(tmp_path: Path, directories: int, strips: int) -> None:
    length, place = len(directory(0, 0, 0)), 8
    tables = b"".join(
        directory(strips, 8 + directories * length, place + length * (number + 1) if number + 1 < directories else 0)
        for number in range(directories)
    )
    (tmp_path / "a.tif").write_bytes(struct.pack("<2sHI", b"II", 42, 8) + tables + bytes(2 * strips))
    began_s = time.thread_time()
    assert completeness(tmp_path / "a.tif") == "unknown"
    assert time.thread_time() - began_s < 0.5
    tracemalloc.start()
    completeness(tmp_path / "a.tif")
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 4 << 20


def test_a_directory_of_millions_of_entries_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, 1_000_000) + bytes(20_000_000 + 8))
    tracemalloc.start()
    assert completeness(tmp_path / "a.tif") == "unknown"
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 4 << 20


def test_a_file_that_is_being_read_may_be_renamed_and_deleted(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"12345")
    with open_shared(str(tmp_path / "a.tif")) as file:
        (tmp_path / "a.tif").rename(tmp_path / "b.tif")
        (tmp_path / "b.tif").unlink()
        assert file.read() == b"12345"
    with pytest.raises(FileNotFoundError, match=r"a\.tif"):
        open_shared(str(tmp_path / "a.tif"))


def test_a_file_kept_open_for_readers_is_followed_only_by_who_can_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    superblock = b"\x89HDF\r\n\x1a\n" + bytes([3, 8, 8, 5]) + struct.pack("<4Q", 0, 2**64 - 1, 48, 48) + bytes(4)
    path = tmp_path / "a.h5"
    path.write_bytes(superblock)
    module = sys.modules["edge_agent.frames.completeness"]
    for installed, said in ((True, "following"), (False, "growing")):  # else each of its states would be refused, one a second
        monkeypatch.setattr(module, "_is_installed", lambda library, there=installed: library == "h5py" and there)
        assert completeness(path) == said
    monkeypatch.undo()
    assert module._is_installed("numpy")
    assert module._is_installed("")
    assert not module._is_installed("no-such-distribution")
