"""TIFF stacks: read in portions however long they are, each image once and in order, and a bad one costs only itself."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from edge_agent.core.errors import FrameRejectedError
from edge_agent.frames import DecodeLimits, decode_portion
from edge_agent.frames.decode import open_source
from edge_agent.frames.readers.tiff import TIFF, stack
from tests.hostile.raw_tiff import PIXELS, picture_tags, raw_tiff
from tests.hostile_files import micrograph, tiff

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.core.frame import Frame
    from edge_agent.core.portion import RefusedFrame

SMALL = DecodeLimits(frames=4, decoded_bytes=6 * 64 * 80, file_bytes=40_000, portion_frames=4)
"""Of a micrograph of 64 x 80 pixels these are four frames at a time, six at most in memory."""


@pytest.fixture(params=["from memory", "from the open file"])
def how(request: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of reading a file."""
    if request.param == "from the open file":
        monkeypatch.setattr(stack, "AT_ONCE_BYTES", 0)
    return str(request.param)


def pages(number: int, *, bad: int | None = None, **options: Any) -> bytes:
    """A file of so many pages, each told from the others; `bad` has no contrast. A thumbnail follows each tenth."""
    target = io.BytesIO()
    with tifffile.TiffWriter(target, **options) as file:
        for page in range(number):
            image = np.full((64, 80), 9, np.uint8) if page == bad else micrograph(seed=page)
            file.write(image, contiguous=False, metadata=None)
            if page % 10 == 0:
                file.write(micrograph(16, 20), subfiletype=1, contiguous=False, metadata=None)
    return target.getvalue()


def in_portions(path: Path, limits: DecodeLimits) -> tuple[list[Frame], list[RefusedFrame], int]:
    """What the agent reads, and in how many portions."""
    frames: list[Frame] = []
    refused: list[RefusedFrame] = []
    first: int | None = 0
    portions = 0
    while first is not None:
        portion = decode_portion(str(path), path.name, limits, first=first)
        assert len(portion.frames) + len(portion.refused) <= limits.portion_frames
        frames += portion.frames
        refused += portion.refused
        first, portions = portion.next_first, portions + 1
    return frames, refused, portions


def cause(path: Path, content: bytes, limits: DecodeLimits | None = None) -> tuple[str, str]:
    path.write_bytes(content)
    with pytest.raises(FrameRejectedError) as refused:
        decode_portion(str(path), path.name, limits)
    return refused.value.cause, refused.value.reason


@pytest.mark.usefixtures("how")
@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}, {"bigtiff": True, "byteorder": ">"}])
def test_a_stack_beyond_every_bound_is_read_in_portions(tmp_path: Path, options: dict[str, Any]) -> None:
    (tmp_path / "a.tif").write_bytes(pages(23, **options))
    frames, refused, portions = in_portions(tmp_path / "a.tif", SMALL)
    assert portions == 6
    assert not refused
    assert [(frame.frame_index, frame.frame_count) for frame in frames] == [(place, 23) for place in range(23)]
    for place, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.pixels, micrograph(seed=place))


@pytest.mark.usefixtures("how")
def test_a_bad_page_costs_only_itself(tmp_path: Path) -> None:
    content = bytearray(pages(9, bad=6))
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        places = [page for page in file.pages if not page.is_reduced]
        struct.pack_into("<H", content, places[3].tags[259].valueoffset, 5)  # LZW, by imagecodecs
        struct.pack_into("<H", content, places[4].tags[258].valueoffset, 999)  # no such depth
    (tmp_path / "a.tif").write_bytes(content)
    frames, refused, _ = in_portions(tmp_path / "a.tif", SMALL)
    assert [frame.frame_index for frame in frames] == [0, 1, 2, 5, 7, 8]
    assert [(frame.frame_index, frame.cause) for frame in refused] == [(3, "unsupported"), (4, "too_large"), (6, "constant")]
    assert refused[0].reason == "frame 3 is compressed by LZW"


@pytest.mark.usefixtures("how")
def test_an_image_stack_of_imagej_has_one_directory_for_all(tmp_path: Path) -> None:
    planes = np.stack([micrograph(dtype=np.uint16, seed=seed) for seed in range(11)])
    with tifffile.TiffWriter(tmp_path / "a.tif", imagej=True) as file:
        file.write(planes, contiguous=True)
    content = (tmp_path / "a.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        next_at = file.pages.first.offset + 2 + 12 * len(file.pages.first.tags)
        order = file.byteorder
    (tmp_path / "a.tif").write_bytes(content[:next_at] + struct.pack(f"{order}I", 0) + content[next_at + 4 :])
    frames, _, portions = in_portions(tmp_path / "a.tif", SMALL)
    assert portions == 3
    np.testing.assert_array_equal([frame.pixels for frame in frames], planes)
    whole = (tmp_path / "a.tif").read_bytes()
    assert cause(tmp_path / "a.tif", whole[: len(whole) - 64 * 80 * 2 * 3])[0] == "truncated"


@pytest.mark.usefixtures("how")
def test_planes_of_volumes_have_their_places(tmp_path: Path) -> None:
    planes = np.stack([micrograph(seed=seed) for seed in range(6)])
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(planes[:1], contiguous=False, metadata=None)
        file.write(planes[1:5], volumetric=True, tile=(4, 16, 16), photometric="minisblack", contiguous=False, metadata=None)
        file.write(planes[5:], contiguous=False, metadata=None)
    frames, _, portions = in_portions(tmp_path / "a.tif", SMALL)
    assert portions == 2
    np.testing.assert_array_equal([frame.pixels for frame in frames], planes)


def test_a_volume_alone_that_cannot_be_decoded_costs_the_file(tmp_path: Path) -> None:
    content = bytearray(tiff(np.stack([micrograph(seed=seed) for seed in range(4)]), volumetric=True, tile=(4, 16, 16), compression="zlib"))
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        at = file.pages.first.dataoffsets[0]
    content[at : at + 2] = b"\xff\xff"
    assert cause(tmp_path / "a.tif", bytes(content))[0] == "decoder_failed"


def test_a_stack_that_ends_early_is_truncated_as_a_whole(tmp_path: Path) -> None:
    content = pages(9)
    for end in (len(content) // 2, len(content) - 10):
        assert cause(tmp_path / "a.tif", content[:end])[0] == "truncated"


def test_a_stack_in_a_compression_that_is_not_installed_is_one_refusal(tmp_path: Path) -> None:
    tags = [picture_tags(64, 64, strip=(8, 4096), compression=5) for _ in range(6)]
    assert cause(tmp_path / "a.tif", raw_tiff(tags, PIXELS)) == ("unsupported", "is compressed by LZW")


@pytest.mark.parametrize("following", [[8, 0, 0], [122, 8, 0], [122, 236, 122], [122, 236, 8]])
def test_a_chain_that_bites_its_tail_is_refused(tmp_path: Path, following: list[int]) -> None:
    content = raw_tiff([picture_tags(64, 64, strip=(8 + 3 * 114, 4096)) for _ in range(3)], PIXELS, following=following)
    told, reason = cause(tmp_path / "a.tif", content)
    assert told == "too_large"
    assert "lead back to themselves" in reason


def test_many_images_that_share_their_pixels_are_refused_as_too_large(tmp_path: Path) -> None:
    strip = zlib.compress(PIXELS[:4096] * 256)
    shared = raw_tiff([picture_tags(1024, 1024, strip=(8, len(strip)), compression=8) for _ in range(60)], strip)
    assert "62914560 pixels in" in cause(tmp_path / "a.tif", shared, DecodeLimits(frames=50))[1]
    tiny = raw_tiff([picture_tags(1, 1, strip=(8, 1)) for _ in range(60)])
    assert "60 are too small" in cause(tmp_path / "a.tif", tiny, DecodeLimits(frames=50))[1]


def test_a_million_directories_are_refused_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_agent.frames.readers.tiff import chain

    monkeypatch.setattr(chain, "MOST_LOOKS", 1000)
    assert "too many to look at" in cause(tmp_path / "a.tif", pages(40))[1]


def test_a_file_that_changed_is_looked_at_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(pages(9))
    assert decode_portion(str(path), "a.tif", SMALL).next_first == 4
    path.write_bytes(pages(12, bigtiff=True))
    frames, _, _ = in_portions(path, SMALL)
    assert [(frame.frame_index, frame.frame_count) for frame in frames] == [(place, 12) for place in range(12)]


@pytest.mark.parametrize(("content", "stays_open"), [(tiff(micrograph()), False), (pages(3), False), (pages(30), True)])
def test_a_single_image_or_a_small_file_is_closed_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, *, stays_open: bool
) -> None:
    opened = []

    def watched(path: str) -> Any:
        opened.append(open_shared(path))
        return opened[-1]

    open_shared = stack.open_shared
    monkeypatch.setattr(stack, "open_shared", watched)
    monkeypatch.setattr(stack, "AT_ONCE_BYTES", 0 if len(content) < 10_000 else 100_000)  # a single image is, whatever its size
    (tmp_path / "a.tif").write_bytes(content)
    _, source = open_source(str(tmp_path / "a.tif"), "a.tif", DecodeLimits())
    with TIFF.stack(source, DecodeLimits(), None) as images:
        assert [file.closed for file in opened] == [not stays_open]
        images.page(0)
    assert all(file.closed for file in opened)
