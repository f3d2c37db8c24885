"""What Hitachi, JEOL and Tescan write beside an image or into it, and ImageJ's stacks, each field with the tag that told it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_agent.core.errors import FrameRejectedError
from edge_agent.frames import DecodeLimits, completeness, decode
from edge_agent.frames.decode import open_source
from tests.hostile_files import micrograph, picture, tiff
from tests.real_formats import real_format

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.frames import Page

JEOL = """$CM_FORMAT JEOL/SEM\r\n$CM_VERSION 1.0\r\n$CM_TITLE A17\r\n$CM_INSTRUMENT JSM-7800F\r\n$CM_SIGNAL SEI\r
$CM_DATE 2019/03/12\r\n$CM_TIME 10:21:55\r\n$CM_MAG 5000\r\n$CM_ACCEL_VOLT 15.00\r\n$CM_FULL_SIZE 80 60\r
$CM_STAGE_POS 10.5 -3.25 0 10 0 0\r\n$$SM_WD 8.1\r\n$$SM_MICRON_BAR 160\r\n$$SM_MICRON_MARKER 5um\r\n"""
HITACHI = """[SemImageFile]\r\nInstructName=SU8000\r\nSampleName=B4\r\nDate=16/08/2016\r\nTime=18:56:58\r\nDataSize=80x64\r
PixelSize=24.8\r\nSignalName=SE(UL)\r\nAcceleratingVoltage=5000 Volt\r\nMagnification=4000\r\nWorkingDistance=8100 um\r
StagePositionX=24917000\r\nStagePositionY=-500\r\n"""
TESCAN = """[MAIN]\r\nDate=2019-01-23\r\nTime=10:20:30\r\nDevice=VEGA3 TESCAN\r\nImageStripSize=9\r\nMagnification=500\r
PixelSizeX=4.6e-07\r\nSerialNumber=VG123\r\n[SEM]\r\nDetector=SE\r\nDwellTime=1e-06\r\nHV=20000.0\r\nPredictedBeamCurrent=3e-10\r
StageX=0.0105\r\nStageY=-0.00325\r\nWD=0.0081\r\n"""


def pages(path: Path) -> list[Page]:
    limits = DecodeLimits()
    reader, source = open_source(str(path), path.name, limits)
    return list(reader.read(source, limits, UTC))


@pytest.mark.parametrize("content", [tiff(micrograph()), picture("BMP"), picture("PNG")], ids=["TIFF", "BMP", "PNG"])
def test_jeols_text_beside_an_image_tells_how_it_was_taken_and_where_the_data_bar_begins(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.img").write_bytes(content)
    assert pages(tmp_path / "a.img")[0].side_car == ""
    (tmp_path / "a.txt").write_text(JEOL, newline="")
    (page,) = pages(tmp_path / "a.img")
    told = page.acquisition
    assert (told.acquired_at, told.instrument, told.detector) == (datetime(2019, 3, 12, 10, 21, 55, tzinfo=UTC), "JSM-7800F", "SEI")
    assert (told.acceleration_voltage_v, told.magnification, told.working_distance_m) == (15000, 5000, 0.0081)
    assert (told.pixel_size_m, told.stage_x_m, told.stage_y_m) == (3.125e-8, 0.0105, -0.00325)
    assert (page.bar_rows, page.side_car, told.extra["CM_TITLE"]) == (4, "a.txt", "A17")
    assert page.sources["acceleration_voltage_v"] == "a.txt: $CM_ACCEL_VOLT"
    assert page.sources["pixel_size_m"] == "a.txt: $$SM_MICRON_MARKER / $$SM_MICRON_BAR"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_hitachis_text_beside_an_image_tells_how_it_was_taken_and_that_rows_beyond_4_to_3_are_its_data_bar(
    tmp_path: Path, encoding: str
) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(micrograph()))
    (tmp_path / "a.txt").write_bytes((HITACHI + "Comment=Pr\u00fcfling\r\n").encode(encoding))
    (page,) = pages(tmp_path / "a.tif")
    told = page.acquisition
    assert (told.acquired_at, told.instrument, told.detector) == (datetime(2016, 8, 16, 18, 56, 58, tzinfo=UTC), "SU8000", "SE(UL)")
    assert (told.acceleration_voltage_v, told.magnification, told.working_distance_m) == (5000, 4000, 0.0081)
    assert (told.pixel_size_m, told.stage_x_m, told.stage_y_m, told.sample_id) == (2.48e-8, 0.024917, -5e-7, "B4")
    assert (page.bar_rows, page.sources["pixel_size_m"]) == (4, "a.txt: [SemImageFile] PixelSize")
    assert told.extra["Comment"] == "Pr\u00fcfling"


def test_a_real_hitachi_text_is_read(tmp_path: Path) -> None:
    (tmp_path / "BCCZ-4.bmp").write_bytes(picture("BMP", micrograph(1100, 1280)))
    shutil.copy(real_format("hitachi_tm3000_example.txt"), tmp_path / "BCCZ-4.txt")
    (page,) = pages(tmp_path / "BCCZ-4.bmp")
    told = page.acquisition
    assert (told.acquired_at, told.instrument, told.detector) == (datetime(2016, 8, 16, 18, 56, 58, tzinfo=UTC), "TM3000", "BSE COMPO")
    assert (told.acceleration_voltage_v, told.magnification, told.working_distance_m) == (15000, 250, 0.0069)
    assert (told.pixel_size_m, told.stage_x_m, told.sample_id) == (5.0625e-7, 0.0, None)
    assert (page.bar_rows, page.sources["magnification"]) == (140, "BCCZ-4.txt: Magnification")


@pytest.mark.parametrize("beside", ["a.hdr", "a-tif.hdr", ""])
def test_tescan_tells_it_in_a_tag_or_beside_the_image(tmp_path: Path, beside: str) -> None:
    if beside:
        (tmp_path / "a.tif").write_bytes(tiff(micrograph()))
        (tmp_path / beside).write_text(TESCAN, newline="")
    else:
        preamble = b"\x01\x00\x00\x02thumbnail\xff\xd8"
        tag = (50431, 7, None, preamble + TESCAN.encode() + b"\0rest", True)
        (tmp_path / "a.tif").write_bytes(tiff(micrograph(), metadata=None, extratags=[tag]))
    (page,) = pages(tmp_path / "a.tif")
    told = page.acquisition
    assert (told.acquired_at, told.instrument, told.detector) == (datetime(2019, 1, 23, 10, 20, 30, tzinfo=UTC), "VEGA3 TESCAN", "SE")
    assert (told.acceleration_voltage_v, told.beam_current_a, told.dwell_s) == (20000, 3e-10, 1e-6)
    assert (told.pixel_size_m, told.working_distance_m, told.magnification) == (4.6e-7, 0.0081, 500)
    assert (told.stage_x_m, told.stage_y_m, page.bar_rows, page.side_car) == (0.0105, -0.00325, 9, beside)
    assert page.sources["acceleration_voltage_v"] == (f"{beside}: " if beside else "") + "[SEM] HV"


def test_jeols_own_tags_name_the_instrument_and_the_time(tmp_path: Path) -> None:
    tags = [(271, "s", 0, "JEOL Ltd.", True), (272, "s", 0, "JSM-IT800", True)]
    content = tiff(micrograph(), metadata=None, datetime="2020:05:06 07:08:09", extratags=tags)
    (tmp_path / "a.tif").write_bytes(content)
    (page,) = pages(tmp_path / "a.tif")
    assert (page.acquisition.instrument, page.acquisition.acquired_at) == ("JSM-IT800", datetime(2020, 5, 6, 7, 8, 9, tzinfo=UTC))
    assert page.sources == {"instrument": "Model", "acquired_at": "DateTime"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "$CM_MAG x\n$CM_DATE\n",
        "[SemImageFile]\nPixelSize=inf\nDate=99/99/99\nDataSize=1x1\n",
        "\x00" * 99,
        "$CM_FULL_SIZE 80 1\n",
        "[MAIN]\nImageStripSize=60\nPixelSizeX=nan\n",
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.hdr"])
def test_a_text_beside_an_image_that_makes_no_sense_does_no_harm(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(micrograph()))
    (tmp_path / name).write_text(text)
    (frame,) = decode(str(tmp_path / "a.tif"), "a.tif")
    assert frame.pixels.shape == (64, 80)
    assert frame.acquisition.pixel_size_m is None


def imagej(planes: np.ndarray, *, one_directory: bool = False, **options: object) -> bytes:
    return tiff(planes, imagej=True, truncate=one_directory, resolution=(20.0, 20.0), metadata={"unit": "um", **options})


def test_imagej_tells_the_pixel_size_in_its_own_units(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(imagej(micrograph()))
    (page,) = pages(tmp_path / "a.tif")
    assert page.acquisition.pixel_size_m == 5e-8
    assert page.sources == {"pixel_size_m": "XResolution, ImageDescription unit"}


def test_pixels_of_an_imagej_file_without_a_unit_have_no_size(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(imagej(micrograph(), unit="pixel"))
    assert pages(tmp_path / "a.tif")[0].acquisition.pixel_size_m is None


def test_every_image_of_a_stack_without_directories_is_counted_as_the_first(tmp_path: Path) -> None:
    plane = micrograph().astype(np.int16)
    plane[:4, :4] = -1  # a detector's gap
    (tmp_path / "a.tif").write_bytes(imagej(np.stack([plane] * 3), one_directory=True))
    frames = decode(str(tmp_path / "a.tif"), "a.tif")
    assert len({frame.content_hash for frame in frames}) == 1
    assert [frame.acquisition.extra["masked_pixels"] for frame in frames] == ["16"] * 3


@pytest.mark.parametrize("one_directory", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_each_image_of_an_imagej_hyperstack_is_a_frame_even_where_only_the_first_has_a_directory(
    tmp_path: Path, dtype: type, one_directory: bool
) -> None:
    planes = np.stack([micrograph(dtype=dtype, seed=seed) for seed in range(6)]).reshape(2, 3, 64, 80)
    content = imagej(planes, one_directory=one_directory, axes="TZYX")
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    assert completeness(path) == "complete"
    np.testing.assert_array_equal([frame.pixels for frame in decode(str(path), "a.tif")], planes.reshape(6, 64, 80))
    for missing in (1 if one_directory else 170, planes[0, 0].nbytes // 2, 3 * planes[0, 0].nbytes):
        path.write_bytes(content[:-missing])
        assert completeness(path) == "growing"
        with pytest.raises(FrameRejectedError) as refused:
            decode(str(path), "a.tif")
        assert refused.value.cause == "truncated"


def test_one_image_that_kept_a_stacks_description_is_one_frame(tmp_path: Path) -> None:
    whole = imagej(np.stack([micrograph(seed=seed) for seed in range(6)]), one_directory=True)
    path = tmp_path / "a.tif"
    path.write_bytes(whole[: len(whole) - 5 * 64 * 80])
    assert completeness(path) == "complete"
    assert len(decode(str(path), "a.tif")) == 1
