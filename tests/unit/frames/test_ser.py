"""TIA's SER: series of images and of spectra, what their .emi adds, and what the header promises."""

from __future__ import annotations

import doctest
import hashlib
import io
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_agent.core.errors import FrameRejectedError
from edge_agent.frames import DecodeLimits, completeness, decode
from edge_agent.frames.decode import open_source
from edge_agent.frames.page import Axis
from edge_agent.frames.readers.ser import SER
from edge_agent.frames.readers.ser import emi as side_car
from tests.hostile_files import micrograph
from tests.microscope_files import emi, ser
from tests.real_formats import real_format

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.frames import Page

STACK = np.stack([micrograph(dtype=np.uint16, seed=seed) for seed in range(3)])
KINDS = ("u1", "u2", "u4", "i1", "i2", "i4", "f4", "f8")


def pages(path: Path) -> list[Page]:
    limits = DecodeLimits()
    reader, source = open_source(str(path), path.name, limits)
    return list(reader.read(source, limits, UTC))


def cause(path: Path, content: bytes) -> tuple[str, str]:
    path.write_bytes(content)
    with pytest.raises(FrameRejectedError) as refused:
        decode(str(path), path.name)
    return refused.value.cause, refused.value.reason


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("dtype", KINDS)
def test_every_image_of_a_series_is_a_frame_the_right_way_up(tmp_path: Path, dtype: str, wide: bool) -> None:
    images = np.random.default_rng(0).integers(0, 120, (3, 64, 80)).astype(dtype)
    (tmp_path / "a.ser").write_bytes(ser(images, wide=wide))
    np.testing.assert_array_equal([page.values for page in pages(tmp_path / "a.ser")], images)
    frames = decode(str(tmp_path / "a.ser"), "a.ser")
    assert [(frame.frame_index, frame.frame_count) for frame in frames] == [(0, 3), (1, 3), (2, 3)]


def test_an_image_tells_its_time_its_pixel_size_and_where_the_beam_stood(tmp_path: Path) -> None:
    (tmp_path / "a.ser").write_bytes(ser(STACK, beam=(1e-6, -2e-6), step=2.5e-9))
    page = pages(tmp_path / "a.ser")[2]
    assert page.acquisition.acquired_at == datetime(2016, 2, 21, 16, 51, 28, tzinfo=UTC)
    assert (page.acquisition.pixel_size_m, page.acquisition.extra) == (2.5e-9, {"scan_x_m": "1e-06", "scan_y_m": "-2e-06"})
    assert page.sources["pixel_size_m"] == "CalibrationDeltaX"
    (tmp_path / "a.ser").write_bytes(ser(STACK, step=1e8))
    assert pages(tmp_path / "a.ser")[0].acquisition.pixel_size_m is None, "the step of a diffraction pattern is in 1/m"


@pytest.mark.parametrize(("name", "instrument"), [("a_1.ser", "Tecnai 1"), ("a_2.ser", "Tecnai 2"), ("a_3.ser", None), ("a.ser", None)])
def test_the_emi_tells_of_the_series_that_has_its_name_and_number(tmp_path: Path, name: str, instrument: str | None) -> None:
    (tmp_path / name).write_bytes(ser(STACK))
    assert pages(tmp_path / name)[0].side_car == ""
    (tmp_path / "a.emi").write_bytes(emi(2))
    page = pages(tmp_path / name)[0]
    assert page.acquisition.instrument == instrument
    assert page.side_car == ("a.emi" if instrument else "")
    if instrument:
        told = page.acquisition
        assert (told.acceleration_voltage_v, told.stage_x_m, told.magnification) == (200e3, -1.59e-7, 50000)
        assert (told.detector, told.dwell_s) == ("HAADF", 1e-5)
        assert page.sources["acceleration_voltage_v"] == "a.emi: AcceleratingVoltage"
        assert page.sources["acquired_at"] == "tag Time", "which is in UTC, as the .emi's date is not"


@pytest.mark.parametrize(
    "content", [b"", b"<ObjectInfo>", b"<ObjectInfo><a></ObjectInfo>", b"<ObjectInfo>&x;</ObjectInfo>", b"<ObjectInfo/>" * 9, emi()[:-200]]
)
def test_an_emi_that_makes_no_sense_does_no_harm(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a_1.ser").write_bytes(ser(STACK))
    (tmp_path / "a.emi").write_bytes(content)
    (page, *_) = pages(tmp_path / "a_1.ser")
    assert (page.acquisition.instrument, page.side_car) == (None, "")


def test_an_aborted_series_holds_as_many_frames_as_are_valid(tmp_path: Path) -> None:
    path = tmp_path / "a.ser"
    path.write_bytes(ser(STACK, total=10))
    assert completeness(path) == "complete"
    assert len(decode(str(path), "a.ser")) == 3
    path.write_bytes(ser(STACK, total=10, valid=0))
    assert completeness(path) == "growing"


@pytest.mark.parametrize("wide", [False, True])
def test_a_file_is_growing_until_its_last_byte(tmp_path: Path, wide: bool) -> None:
    path, content = tmp_path / "a.ser", ser(STACK, wide=wide, beam=(0.0, 0.0))
    path.write_bytes(content)
    assert completeness(path) == "complete"
    for length in (10, 25, 40, 80, 110, 200, 5000, len(content) - STACK[0].nbytes, len(content) - 30, len(content) - 1):
        path.write_bytes(content[:length])
        assert completeness(path) == "growing", length
        if length < len(content) - 24:  # the tags behind the last image are not needed to read it
            assert cause(path, content[:length])[0] == "truncated", length


def test_spectra_are_scans_with_their_axis_and_no_frames(tmp_path: Path) -> None:
    spectra = np.arange(2000, dtype=np.int32).reshape(2, 1000)
    (tmp_path / "a.ser").write_bytes(ser(spectra, step=10.0))
    page = pages(tmp_path / "a.ser")[1]
    np.testing.assert_array_equal(page.values, spectra[1])
    assert page.axis == Axis("energy", 5.0, 9995.0, "eV")
    (tmp_path / "a.ser").write_bytes(ser(spectra[:1]))
    with pytest.raises(FrameRejectedError, match="a scan of 1000 points, and the models look at images"):
        decode(str(tmp_path / "a.ser"), "a.ser")


def test_complex_numbers_and_absurd_sizes_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.ser"
    assert cause(path, ser(np.ones((1, 64, 80), np.complex64))) == (
        "unsupported",
        "frame 0 holds complex numbers, and the models look at grey images",
    )
    assert cause(path, ser(STACK[:1], side=1 << 30))[0] == "too_large"
    assert cause(path, ser(STACK[:1], side=1 << 20))[0] == "truncated"
    assert cause(path, ser(STACK[:1], side=-80)) == ("decoder_failed", "frame 0 has a header that makes no sense")
    assert cause(path, b"LUCAM-RECORDER" + bytes(200))[0] == "wrong_type"
    assert cause(path, b"II\x97\x01" + b"\xff" * 200)[0] == "wrong_type"


def test_a_header_that_counts_to_the_sky_is_looked_at_for_no_longer_than_others() -> None:
    content = bytearray(ser(STACK))
    content[14:22] = b"\xff\xff\xff\x7f" * 2
    assert SER.lacks(io.BytesIO(bytes(content)), len(content))
    assert SER.lacks(io.BytesIO(bytes(content[:30])), 30)


def test_a_real_series_is_read_with_its_emi(tmp_path: Path) -> None:
    for name in ("64x64_diffraction_acquire_1.ser", "64x64_diffraction_acquire.emi"):
        shutil.copy(real_format(name), tmp_path / name)
    path = tmp_path / "64x64_diffraction_acquire_1.ser"
    assert completeness(path) == "complete"
    (page,) = pages(path)
    pixels = np.ascontiguousarray(page.values)
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == "4131697fd7cab83ce8acf4ab6270459b4293e82b5d74938b932a205db7c0e071"
    told = page.acquisition
    assert (pixels.shape, pixels.dtype, told.pixel_size_m) == ((64, 64), np.float32, None)
    assert told.acquired_at == datetime(2016, 2, 21, 16, 51, 26, tzinfo=UTC)
    assert (told.instrument, told.detector) == ("Microscope Tecnai 200 kV D2267 SuperTwin", "WA-Orius")
    assert (told.acceleration_voltage_v, told.stage_x_m, told.stage_y_m) == (200e3, -1.59e-7, 1.9e-8)
    assert (told.extra["exposure_s"], told.extra["Camera length (m)"]) == ("0.0625", "0.490")
    assert page.side_car == "64x64_diffraction_acquire.emi"
    (frame,) = decode(str(path), path.name)
    np.testing.assert_array_equal(frame.pixels, pixels)


def test_the_examples_hold() -> None:
    assert doctest.testmod(side_car).failed == 0
