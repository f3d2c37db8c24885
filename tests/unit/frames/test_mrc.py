"""MRC: every pixel type and byte order, every section a frame, and what the header promises."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from edge_agent.core.errors import FrameRejectedError
from edge_agent.frames import DecodeLimits, completeness, decode
from edge_agent.frames.decode import open_source
from edge_agent.frames.readers.mrc import MRC
from tests.hostile_files import micrograph
from tests.microscope_files import fei_part, mrc
from tests.real_formats import real_format

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.frames import Page

STACK = np.stack([micrograph(dtype=np.uint16, seed=seed) for seed in range(3)])


def pages(path: Path, zone: Any = None) -> list[Page]:
    limits = DecodeLimits()
    reader, source = open_source(str(path), path.name, limits)
    return list(reader.read(source, limits, zone))


def cause(path: Path, content: bytes) -> tuple[str, str]:
    path.write_bytes(content)
    with pytest.raises(FrameRejectedError) as refused:
        decode(str(path), path.name)
    return refused.value.cause, refused.value.reason


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["i1", "i2", "f4", "u2", "f2"])
def test_every_section_is_a_frame_in_every_pixel_type_and_byte_order(tmp_path: Path, dtype: str, order: str) -> None:
    planes = (np.random.default_rng(0).integers(0, 120, (3, 64, 80))).astype(dtype)
    (tmp_path / "a.mrc").write_bytes(mrc(planes, order))
    np.testing.assert_array_equal([page.values for page in pages(tmp_path / "a.mrc")], planes)
    frames = decode(str(tmp_path / "a.mrc"), "a.mrc")
    assert [(frame.frame_index, frame.frame_count) for frame in frames] == [(0, 3), (1, 3), (2, 3)]
    np.testing.assert_array_equal([frame.pixels for frame in frames], planes)


def test_imods_flag_says_whether_bytes_are_signed(tmp_path: Path) -> None:
    planes = micrograph()[None].astype(np.uint8)
    for flags, dtype in ((0, np.uint8), (1, np.int8), (None, np.int8)):
        (tmp_path / "a.mrc").write_bytes(mrc(planes, mode=0, imod_flags=flags))
        np.testing.assert_array_equal(pages(tmp_path / "a.mrc")[0].values, planes[0].view(dtype))


def test_a_file_without_the_stamp_is_known_by_its_name_in_either_byte_order(tmp_path: Path) -> None:
    for order in "<>":
        (tmp_path / "a.st").write_bytes(mrc(STACK, order, stamp=b""))
        np.testing.assert_array_equal([frame.pixels for frame in decode(str(tmp_path / "a.st"), "a.st")], STACK)
    assert not MRC.recognises(mrc(STACK, stamp=b"")[:1024], "a.bin")


def test_the_cell_tells_the_pixel_size_and_the_space_group_whether_it_is_a_volume(tmp_path: Path) -> None:
    (tmp_path / "a.map").write_bytes(mrc(STACK, group=1))
    page = pages(tmp_path / "a.map")[2]
    assert (page.acquisition.pixel_size_m, page.sources) == (2e-10, {"pixel_size_m": "CELLA x / MX"})
    assert page.acquisition.extra == {"content": "a volume, each section of it a frame", "mode": "6", "label 1": "first label"}


@pytest.mark.parametrize(("kind", "length", "order"), [(b"FEI1", 768, "<"), (b"FEI2", 888, "<"), (b"FEI1", 768, ">")])
def test_feis_extended_header_tells_each_section_apart(tmp_path: Path, kind: bytes, length: int, order: str) -> None:
    parts = [
        fei_part(order, length, pixel_size=5.6e-9, stage_x=1e-5 * place, stage_y=-2e-6, timestamp=44900.5, dwell=1e-5) for place in range(3)
    ]
    (tmp_path / "a.mrc").write_bytes(mrc(STACK, order, extended=b"".join(parts), kind=kind))
    told = [page.acquisition for page in pages(tmp_path / "a.mrc", ZoneInfo("Europe/Zurich"))]
    assert [one.stage_x_m for one in told] == [0, 1e-5, 2e-5]
    assert (told[2].acceleration_voltage_v, told[2].pixel_size_m, told[2].stage_y_m, told[2].dwell_s) == (300e3, 5.6e-9, -2e-6, 1e-5)
    assert (told[2].instrument, told[2].detector, told[2].magnification) == ("Krios", "BF", None)
    assert told[2].acquired_at == datetime(2022, 12, 5, 11, tzinfo=UTC)
    assert pages(tmp_path / "a.mrc")[0].sources["acceleration_voltage_v"] == f"{kind.decode()} HT"


@pytest.mark.parametrize(
    "part", [b"", b"\xff" * 768, fei_part()[:200], fei_part(timestamp=1e300, pixel_size=float("nan"), voltage=float("inf"))]
)
def test_an_extended_header_that_makes_no_sense_does_no_harm(tmp_path: Path, part: bytes) -> None:
    (tmp_path / "a.mrc").write_bytes(mrc(STACK, extended=part, kind=b"FEI1"))
    told = pages(tmp_path / "a.mrc")[1].acquisition
    assert (told.acquired_at, told.acceleration_voltage_v, told.pixel_size_m) == (None, None, 2e-10)


def test_a_file_is_growing_until_its_last_byte(tmp_path: Path) -> None:
    path, content = tmp_path / "a.mrc", mrc(STACK, extended=fei_part(), kind=b"FEI1")
    for length in (8, 200, 215, 500, 1023, 1024, 1500, 1792, 1793, len(content) - STACK[0].nbytes, len(content) - 1):
        path.write_bytes(content[:length])
        assert completeness(path) != "complete", length
        if length > 215:
            assert completeness(path) == "growing", length
            assert cause(path, content[:length])[0] == "truncated", length
    path.write_bytes(content)
    assert completeness(path) == "complete"


def test_what_is_no_grey_image_is_refused_by_its_name_and_absurd_sizes_before_anything_is_allocated(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc"
    assert cause(path, mrc(np.zeros((1, 64, 320), np.uint8), mode=4, columns=40)) == (
        "unsupported",
        "holds complex numbers, and the models look at grey images",
    )
    assert cause(path, mrc(STACK, columns=1 << 23, rows=1 << 23))[0] == "too_large"
    assert cause(path, mrc(STACK, sections=1 << 23))[0] == "truncated"
    for wrong in (mrc(STACK, mode=7), mrc(STACK, rows=0), mrc(STACK, columns=-5), mrc(STACK, sections=1 << 30), b"hello" * 300):
        assert cause(path, wrong)[0] == "wrong_type"


def test_a_real_mrc_is_read(tmp_path: Path) -> None:
    path = real_format("HAADFscan.mrc")
    assert completeness(path) == "complete"
    (page,) = pages(path, ZoneInfo("Europe/Berlin"))
    assert hashlib.sha256(page.values.tobytes()).hexdigest() == "3eaa9e813f3f64577223ceb5c8e56618952100797f5cdaec97b444f8b708e3e0"
    told = page.acquisition
    assert (page.values.shape, page.values.dtype) == ((16, 16), np.uint16)
    assert (told.acquired_at, told.instrument, told.detector) == (datetime(2022, 12, 5, 11, 13, 7, tzinfo=UTC), "Spectra", "HAADF")
    assert (told.acceleration_voltage_v, told.pixel_size_m, told.dwell_s) == (300e3, 5.67913129001e-9, 0.01)
    assert (told.stage_x_m, told.stage_y_m, told.magnification) == (2.38563e-5, -7.11972e-6, None)
    with pytest.raises(FrameRejectedError, match="16 x 16 pixels, at least 32"):
        decode(str(path), path.name)
