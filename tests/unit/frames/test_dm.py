"""DigitalMicrograph's DM3 and DM4: images, stacks and spectra, how they were taken, and files that lie about themselves."""

from __future__ import annotations

import hashlib
import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.errors import FrameRejectedError
from edge_agent.frames import DecodeLimits, completeness, decode
from edge_agent.frames.decode import open_source
from edge_agent.frames.page import Axis
from tests.hostile_files import micrograph
from tests.microscope_files import dm, dm_image
from tests.real_formats import real_format

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.frames import Page

THUMBNAIL = dm_image(np.arange(4096, dtype=np.int32), kind=23, dimensions=[64, 64])
IMAGE = micrograph(dtype=np.uint16)
TAGS = {
    "DataBar": {"Acquisition Time (OS)": 1.3115143597000824e17, "Device Name": "DigiScan", "Exposure Time (s)": 0.5},
    "DigiScan": {"Sample Time": 3.5},
    "Microscope Info": {
        "Voltage": 200000.0,
        "Indicated Magnification": 225000.0,
        "Probe Current (nA)": 0.3,
        "Stage Position": {"Stage X": -461.276, "Stage Y": 52.0039},
        "Numbers": (1, 2),
    },
    "Session Info": {"Microscope": "FEI Titan", "Specimen": "A17"},
}


def file_of(*images: dict[str, Any], **options: Any) -> bytes:
    return dm({"ImageList": [THUMBNAIL, *images], "Thumbnails": [{"ImageIndex": 0}]}, **options)


def pages(path: Path) -> list[Page]:
    limits = DecodeLimits()
    reader, source = open_source(str(path), path.name, limits)
    return list(reader.read(source, limits, UTC))


def cause(path: Path, content: bytes) -> tuple[str, str]:
    path.write_bytes(content)
    with pytest.raises(FrameRejectedError) as refused:
        decode(str(path), path.name)
    return refused.value.cause, refused.value.reason


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"])
def test_an_image_is_read_in_every_type_order_and_version_and_its_thumbnail_is_none(
    tmp_path: Path, dtype: str, order: str, version: int
) -> None:
    image = np.random.default_rng(0).integers(0, 120, (64, 80)).astype(dtype)
    (tmp_path / "a.dm4").write_bytes(file_of(dm_image(image), version=version, order=order))
    (page,) = pages(tmp_path / "a.dm4")
    np.testing.assert_array_equal(page.values, image)
    (frame,) = decode(str(tmp_path / "a.dm4"), "a.dm4")
    np.testing.assert_array_equal(frame.pixels, image)


def test_every_plane_of_a_stack_and_every_image_is_a_frame(tmp_path: Path) -> None:
    stack = np.stack([micrograph(seed=seed) for seed in range(4)]).reshape(2, 2, 64, 80)
    (tmp_path / "a.dm4").write_bytes(file_of(dm_image(stack), dm_image(IMAGE)))
    frames = decode(str(tmp_path / "a.dm4"), "a.dm4")
    assert [(frame.frame_index, frame.frame_count) for frame in frames] == [(place, 5) for place in range(5)]
    np.testing.assert_array_equal([frame.pixels for frame in frames[:4]], stack.reshape(4, 64, 80))
    np.testing.assert_array_equal(frames[4].pixels, IMAGE)


def test_colours_come_in_their_order(tmp_path: Path) -> None:
    colours = np.stack([micrograph(seed=seed) for seed in range(3)], 2)
    packed = np.concatenate([colours[..., ::-1], np.zeros((64, 80, 1), np.uint8)], 2).view(np.int32)[..., 0]
    (tmp_path / "a.dm3").write_bytes(file_of(dm_image(packed, kind=23), version=3))
    np.testing.assert_array_equal(pages(tmp_path / "a.dm3")[0].values, colours)


@pytest.mark.parametrize("version", [3, 4])
def test_the_tags_tell_how_it_was_taken(tmp_path: Path, version: int) -> None:
    (tmp_path / "a.dm3").write_bytes(file_of(dm_image(IMAGE, **TAGS), version=version))
    page = pages(tmp_path / "a.dm3")[0]
    told = page.acquisition
    assert (told.acquired_at, told.instrument, told.detector) == (datetime(2016, 8, 8, 15, 26, 37, tzinfo=UTC), "FEI Titan", "DigiScan")
    assert (told.acceleration_voltage_v, told.magnification, told.beam_current_a, told.dwell_s) == (2e5, 225000, 3e-10, 3.5e-6)
    assert (told.pixel_size_m, told.stage_x_m, told.stage_y_m, told.sample_id) == (5e-10, -0.000461276, 5.20039e-5, "A17")
    assert (told.extra["exposure_s"], told.extra["Microscope Info:Numbers"]) == ("0.5", "(1, 2)")
    assert page.sources["acceleration_voltage_v"] == "Microscope Info:Voltage"
    assert page.sources["stage_x_m"] == "Microscope Info:Stage Position:Stage X"


def test_lengths_in_other_units_than_metres_are_no_pixel_size(tmp_path: Path) -> None:
    for unit, size in (("1/nm", None), ("", None), ("s", None), ("mV", None), ("\u00b5m", 5e-7)):
        (tmp_path / "a.dm3").write_bytes(file_of(dm_image(IMAGE, unit=unit)))
        assert pages(tmp_path / "a.dm3")[0].acquisition.pixel_size_m == size


def test_a_spectrum_is_a_scan_with_its_axis(tmp_path: Path) -> None:
    (tmp_path / "a.dm3").write_bytes(file_of(dm_image(np.arange(100, dtype=np.float32), unit="eV")))
    (page,) = pages(tmp_path / "a.dm3")
    assert (page.values.shape, page.axis) == ((100,), Axis("energy", -2.0, 47.5, "eV"))
    assert "a scan of 100 points" in cause(tmp_path / "a.dm3", (tmp_path / "a.dm3").read_bytes())[1]


def test_what_is_no_grey_image_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.dm4"
    spectra = dm_image(np.zeros((50, 64, 80), np.float32), **{"Meta Data": {"Format": "Spectrum image"}})
    said = [cause(path, file_of(one)) for one in (dm_image(np.ones((64, 80), np.complex64)), dm_image(IMAGE, kind=99))]
    assert said == [
        ("unsupported", "holds complex numbers, and the models look at grey images"),
        ("unsupported", "holds values of DigitalMicrograph's type 99"),
    ]
    path.write_bytes(file_of(spectra))
    with pytest.raises(FrameRejectedError, match="is a spectrum image"):
        pages(path)
    assert cause(path, file_of()) == ("unsupported", "DM holds no frame")


@pytest.mark.parametrize("version", [3, 4])
def test_a_file_is_growing_until_its_last_tag(tmp_path: Path, version: int) -> None:
    path, content = tmp_path / "a.dm3", file_of(dm_image(IMAGE, **TAGS), version=version)
    path.write_bytes(content)
    assert completeness(path) == "complete"
    for length in (8, 12, 20, 40, 90, 300, 2000, 17000, 20000, len(content) - 200, len(content) - 9):
        path.write_bytes(content[:length])
        assert completeness(path) != "complete", length
        if length >= 40:
            assert completeness(path) == "growing", length
            assert cause(path, content[:length])[0] == "truncated", length
    path.write_bytes(file_of(dm_image(IMAGE), version=version, length=0))
    assert completeness(path) == "growing", "its length is not known yet"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (dm_image(IMAGE, dimensions=[1 << 30, 1 << 30]), "too_large"),
        (dm_image(IMAGE, dimensions=[80, 64, 1 << 30]), "too_large"),
        (dm_image(IMAGE, dimensions=[81, 64]), "decoder_failed"),
        (dm_image(IMAGE, dimensions=[-80, -64]), "decoder_failed"),
        (dm_image(IMAGE, dimensions=[]), "decoder_failed"),
        ({"ImageData": {"Data": 7}}, "decoder_failed"),
    ],
)
def test_images_that_lie_about_themselves_are_refused(tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    assert cause(tmp_path / "a.dm4", file_of(change))[0] == expected


def test_tags_without_end_are_refused(tmp_path: Path) -> None:
    nested: Any = {"a": 1}
    for _ in range(70):
        nested = {"a": nested}
    assert cause(tmp_path / "a.dm4", dm({"deep": nested})) == ("decoder_failed", "DM cannot be decoded (more than 64 levels of tags)")
    many = dm({"many": [1]})
    at = many.index(b"many") + 4 + 8 + 2
    assert cause(tmp_path / "a.dm4", many[:at] + struct.pack(">Q", 1 << 60) + many[at + 8 :])[0] == "decoder_failed"


def test_a_type_that_is_not_known_costs_a_dm4_that_tag_only(tmp_path: Path) -> None:
    content = file_of(dm_image(IMAGE, **TAGS))
    place = content.index(b"Voltage") + len("Voltage") + 8 + 4 + 8
    (tmp_path / "a.dm4").write_bytes(content[: place + 7] + b"\x63" + content[place + 8 :])
    (page,) = pages(tmp_path / "a.dm4")
    assert (page.acquisition.acceleration_voltage_v, page.acquisition.magnification) == (None, 225000)


@given(st.sampled_from([3, 4]), st.lists(st.tuples(st.integers(0, 30_000), st.integers(0, 255)), min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_a_damaged_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, version: int, changes: list[tuple[int, int]]) -> None:
    content = bytearray(file_of(dm_image(IMAGE, **TAGS), version=version))
    for place, value in changes:
        content[place % len(content)] = value
    path = tmp_path_factory.getbasetemp() / "damaged.dm3"
    path.write_bytes(content)
    assert completeness(path) in {"complete", "growing", "unknown"}
    try:
        decode(str(path), path.name)
    except FrameRejectedError as refused:
        assert refused.reason  # noqa: PT017 - either is right


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("test-1.dm4", "ea99f710d9d0b8ba192295c969a63ed7ce8fc5743da20d2057fa2b6d2c404bfb"),
        ("test_STEM_image.dm3", "6537058151245e5ccb592d9b7f25bda16d72f083aae0ef8416758c9d00422319"),
    ],
)
def test_real_files_are_read(name: str, digest: str) -> None:
    path = real_format(name)
    assert completeness(path) == "complete"
    (page,) = pages(path)
    assert hashlib.sha256(page.values.tobytes()).hexdigest() == digest
    told = page.acquisition
    if name == "test-1.dm4":
        assert (page.values.shape, page.values.dtype, page.sources) == ((2, 2), np.int16, {})
        assert "2 x 2 pixels" in cause_of(path)
        return
    (frame,) = decode(str(path), path.name)
    np.testing.assert_array_equal(frame.pixels, page.values)
    assert (told.acquired_at, told.instrument, told.detector) == (datetime(2016, 8, 8, 15, 26, 37, tzinfo=UTC), "FEI Titan", "DigiScan")
    assert (told.acceleration_voltage_v, told.magnification, told.beam_current_a, told.dwell_s) == (2e5, 225000, None, 3.5e-6)
    assert (told.pixel_size_m, told.stage_x_m, told.stage_y_m) == (2.48538017273e-10, -0.000461276, 5.20039e-5)


def cause_of(path: Path) -> str:
    with pytest.raises(FrameRejectedError) as refused:
        decode(str(path), path.name)
    return refused.value.reason
