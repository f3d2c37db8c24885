from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge_agent.core.frame import Frame
from edge_agent.frames import content_hash, decode, measure
from tests.hostile_files import micrograph, picture, tiff

GREY = micrograph()
DEEP = micrograph(dtype=np.uint16)
REAL = np.random.default_rng(1).random((64, 80), dtype=np.float32)
COLOUR = np.stack([micrograph(seed=seed) for seed in range(3)], axis=2)


def read(tmp_path: Path, content: bytes, name: str = "a.tif") -> list[Frame]:
    (tmp_path / name).write_bytes(content)
    return decode(str(tmp_path / name), name)


@pytest.mark.parametrize(
    ("content", "pixels", "full_scale"),
    [
        (tiff(GREY), GREY, 255),
        (tiff(GREY, byteorder=">", bigtiff=True), GREY, 255),
        (tiff(GREY, compression="zlib", tile=(16, 16)), GREY, 255),
        (tiff(DEEP), DEEP, 65535),
        (tiff(DEEP, byteorder=">"), DEEP, 65535),
        (tiff(DEEP >> 4, extratags=[(281, "H", 1, 4095, True)]), DEEP >> 4, 4095),
        (tiff(DEEP, extratags=[(281, "H", 1, 4095, True)]), DEEP, 65535),
        (tiff(REAL), REAL, 1),
        (tiff(REAL * 1000), REAL * 1000, float((REAL * 1000).max())),
        (tiff(REAL.astype(np.float64)), REAL, 1),
        (tiff(GREY > 127), np.where(GREY > 127, 255, 0).astype(np.uint8), 255),
        (tiff(GREY, photometric="miniswhite"), 255 - GREY, 255),
        (tiff(np.repeat(GREY[:, :, None], 3, 2), photometric="rgb"), GREY, 255),
        (tiff(np.repeat(GREY[None], 3, 0), photometric="rgb", planarconfig="separate"), GREY, 255),
        (picture("PNG"), GREY, 255),
        (picture("BMP"), GREY, 255),
        (picture("PNG", np.repeat(GREY[:, :, None], 3, 2)), GREY, 255),
        (picture("PNG", DEEP), DEEP, 65535),
        (picture("PNG", GREY, "P"), GREY, 255),
        (picture("PNG", GREY, "LA"), GREY, 255),
        (picture("PNG", np.where(GREY > 127, 255, 0).astype(np.uint8), "1"), np.where(GREY > 127, 255, 0).astype(np.uint8), 255),
    ],
)
def test_every_way_to_store_grey_gives_the_same_pixels(tmp_path: Path, content: bytes, pixels: Any, full_scale: float) -> None:
    (frame,) = read(tmp_path, content)
    assert frame.pixels.dtype == pixels.dtype
    np.testing.assert_array_equal(frame.pixels, pixels)
    assert frame.full_scale == pytest.approx(full_scale)
    assert frame.content_hash == content_hash(pixels)
    assert frame.statistics == measure(pixels, frame.full_scale)


def test_a_jpeg_is_read_about_as_it_was(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(64), np.arange(80)).astype(np.uint8)
    (frame,) = read(tmp_path, picture("JPEG", smooth), "a.jpg")
    assert np.abs(frame.pixels.astype(int) - smooth).max() <= 3


@pytest.mark.parametrize("content", [tiff(COLOUR, photometric="rgb"), picture("PNG", COLOUR), picture("BMP", COLOUR)])
def test_colour_becomes_luminance_and_says_so(tmp_path: Path, content: bytes) -> None:
    (frame,) = read(tmp_path, content)
    luminance = np.asarray(Image.fromarray(COLOUR).convert("L")).astype(int)
    assert np.abs(frame.pixels.astype(int) - luminance).max() <= 1
    assert "luminance" in frame.acquisition.extra["colour"]


def test_the_format_is_decided_by_the_content(tmp_path: Path) -> None:
    (frame,) = read(tmp_path, picture("PNG"), "really_a_png.tif")
    np.testing.assert_array_equal(frame.pixels, GREY)


def test_each_page_is_a_frame_and_thumbnails_are_not(tmp_path: Path) -> None:
    import tifffile

    with tifffile.TiffWriter(tmp_path / "a.tif") as stack:
        for seed in range(3):
            stack.write(micrograph(seed=seed), contiguous=False, metadata=None)
            stack.write(micrograph(40, 48), subfiletype=1, contiguous=False, metadata=None)
        stack.write(micrograph(32, 32), contiguous=False, metadata=None)  # a thumbnail that does not say so
    frames = decode(str(tmp_path / "a.tif"), "a.tif")
    assert [(frame.frame_index, frame.frame_count) for frame in frames] == [(0, 3), (1, 3), (2, 3)]
    for seed, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.pixels, micrograph(seed=seed))


def test_a_volume_is_as_many_frames_as_it_has_planes(tmp_path: Path) -> None:
    planes = np.stack([micrograph(seed=seed) for seed in range(4)])
    frames = read(tmp_path, tiff(planes, volumetric=True, tile=(4, 16, 16)))
    np.testing.assert_array_equal([frame.pixels for frame in frames], planes)
