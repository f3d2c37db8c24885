"""HDF5: whether a file is complete, and what is read of one that is being written."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from edge_agent.core.portion import Portion
from edge_agent.frames import DecoderPool, completeness, decode_portion
from tests.hdf5_files import STACK, holds, nexus, refusal, write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("how", [{}, {"libver": "latest"}, {"libver": ("v108", "v108")}, {"userblock_size": 512}])
def test_a_file_is_complete_when_it_is_as_long_as_its_superblock_says(tmp_path: Path, how: Any) -> None:
    path = write(tmp_path / "a.h5", nexus, **how)
    assert completeness(path) == "complete"
    assert holds(path, STACK)
    path.write_bytes(path.read_bytes()[:-1])
    assert completeness(path) == "growing"


def test_a_file_that_is_open_to_write_is_growing_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="latest", locking=False) as file:
        nexus(file)
        file.flush()
        assert completeness(path) == "growing"
    assert completeness(path) == "complete"


async def test_reading_leaves_the_file_as_it_is_and_its_writer_undisturbed(tmp_path: Path) -> None:
    path, pool = tmp_path / "a.h5", DecoderPool()
    with h5py.File(path, "w", libver="latest", locking=True) as file:
        data = file.create_dataset("d", (0, 40, 48), "u2", maxshape=(None, 40, 48), chunks=(1, 40, 48))
        file.swmr_mode = True
        assert completeness(path) == "following"
        assert await pool.read(str(path), "a.h5") == Portion((), growing=True)
        for count in range(1, 5):
            data.resize(count, 0)
            data[count - 1] = STACK[count - 1]
            data.flush()
            before = path.read_bytes()
            portion = await pool.read(str(path), "a.h5", max(0, count - 2))
            assert [one.frame_index for one in portion.frames] == list(range(max(0, count - 2), count))
            np.testing.assert_array_equal(portion.frames[-1].pixels, STACK[count - 1])
            assert portion.growing
            assert path.read_bytes() == before
        data.resize(5, 0)  # an image that is announced and not there yet
        data.flush()
        assert len((await pool.read(str(path), "a.h5", 3)).contents) == 1
    await pool.close()
    assert completeness(path) == "complete"
    assert holds(path, STACK[:4])


@pytest.mark.parametrize("lead", [1, 2])
def test_an_image_of_which_some_chunks_are_not_there_yet_is_waited_for(tmp_path: Path, lead: int) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="latest", locking=False) as file:
        data = file.create_dataset("d", (6, 40, 48), "u2", maxshape=(None, 40, 48), chunks=(lead, 20, 24))
        file.swmr_mode = True
        data[:2] = STACK[:2]
        data[2:4, :20] = STACK[2:4, :20]
        data.flush()
        assert [frame.frame_index for frame in decode_portion(str(path), "a.h5").frames] == [0, 1]
        data[2:4] = STACK[2:4]
        data.flush()
        portion = decode_portion(str(path), "a.h5", first=1)
        np.testing.assert_array_equal([frame.pixels for frame in portion.frames], STACK[1:4])


def test_a_flat_field_is_not_taken_for_the_images_to_come(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="latest", locking=False) as file:
        file["flat"] = np.stack([STACK[0]] * 3)
        for name, shape in (("images", (40, 48)), ("previews", (32, 32))):
            file.create_dataset(name, (0, *shape), "u2", maxshape=(None, *shape), chunks=(1, *shape))
        file.swmr_mode = True
        assert decode_portion(str(path), "a.h5") == Portion((), growing=True)
        file["images"].resize(1, 0)
        file["images"][0] = STACK[1]
        file["images"].flush()
        (frame,) = decode_portion(str(path), "a.h5").frames
        np.testing.assert_array_equal(frame.pixels, STACK[1])


@pytest.mark.parametrize("version", [0, 1, 2, 3, 4, 255])
@pytest.mark.parametrize("length", [8, 9, 30, 200, 2000])
def test_any_superblock_is_looked_at_without_harm(tmp_path: Path, version: int, length: int) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes((b"\x89HDF\r\n\x1a\n" + struct.pack("<4B", version, 255, 255, 255) + b"\xff" * 3000)[:length])
    assert completeness(path) in {"growing", "following"}
    assert refusal(path).cause in {"truncated", "decoder_failed"}
