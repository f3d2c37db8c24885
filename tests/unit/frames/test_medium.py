"""A share that goes in the midst of a stack costs none of its frames: the file is read again, and no frame is blamed."""

from __future__ import annotations

import errno
import io
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_agent.core.errors import FrameRejectedError
from edge_agent.frames.decode import decode_portion
from edge_agent.frames.readers import mrc as mrc_reader
from tests.microscope_files import mrc

if TYPE_CHECKING:
    from pathlib import Path

BEGINS = 1024
"""Where an MRC's sections do."""


def stack(folder: Path) -> Path:
    path = folder / "stack.mrc"
    path.write_bytes(mrc(np.random.default_rng(0).integers(0, 255, (6, 64, 64), np.uint16)))
    return path


class Share(io.FileIO):
    """A file on a share that goes once the third section is asked for."""

    code = errno.EIO

    def read(self, size: int | None = -1, /) -> bytes | None:
        if self.tell() >= BEGINS + 2 * 64 * 64 * 2:
            raise OSError(self.code, os.strerror(self.code))
        return super().read(size)

    def readinto(self, target: object, /) -> int:
        content = self.read(memoryview(target).nbytes) or b""  # type: ignore[arg-type]
        memoryview(target).cast("B")[: len(content)] = content  # type: ignore[arg-type]
        return len(content)


@pytest.mark.parametrize(("code", "cause"), [(errno.EIO, "unreadable"), (errno.ESTALE, "vanished"), (errno.EHOSTDOWN, "unreadable")])
def test_a_share_that_goes_between_two_frames_blames_none_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, cause: str
) -> None:
    path = stack(tmp_path)
    assert len(decode_portion(str(path), path.name).frames) == 6
    monkeypatch.setattr(Share, "code", code)
    monkeypatch.setattr(mrc_reader, "open_shared", Share)
    with pytest.raises(FrameRejectedError) as rejected:
        decode_portion(str(path), path.name)
    assert rejected.value.cause == cause  # which the pipeline tries again, and waits for while the folder is away


def test_a_share_that_goes_as_a_stack_is_opened_blames_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stack(tmp_path)

    def gone(name: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), name)

    monkeypatch.setattr(mrc_reader, "open_shared", gone)
    with pytest.raises(FrameRejectedError, match="cannot be read") as rejected:
        decode_portion(str(path), path.name)
    assert rejected.value.cause == "unreadable"


def test_hdf5s_own_words_for_it_count_and_a_damaged_file_is_to_blame_as_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stack(tmp_path)

    def raising(error: Exception) -> str:
        def fail(name: str) -> None:
            raise error

        monkeypatch.setattr(mrc_reader, "open_shared", fail)
        with pytest.raises(FrameRejectedError) as rejected:
            decode_portion(str(path), path.name)
        return rejected.value.cause

    assert (
        raising(OSError("Can't synchronously read data (file read failed: errno = 5, error message = 'Input/output error')"))
        == "unreadable"
    )
    assert raising(KeyError("Unable to open object (file read failed: errno = 116, error message = 'Stale file handle')")) == "vanished"
    assert raising(OSError("Can't synchronously read data (wrong B-tree signature)")) == "decoder_failed"
    assert raising(OSError(errno.EINVAL, "Invalid argument")) == "decoder_failed"


def test_a_share_that_gives_less_than_is_asked_for_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes | None:
            return super().read(min(size, 1000) if size is not None and size >= 0 else size)

        def readinto(self, target: object, /) -> int:
            return super().readinto(memoryview(target)[:1000])  # type: ignore[arg-type]

    path = stack(tmp_path)
    monkeypatch.setattr(mrc_reader, "open_shared", Slow)
    portion = decode_portion(str(path), path.name)
    assert (len(portion.frames), portion.refused) == (6, ())
