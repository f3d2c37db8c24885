import bz2
import hashlib
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from edge_agent.core.errors import FrameRejectedError
from edge_agent.core.frame import Frame
from edge_agent.frames import DecodeLimits, DecoderPool, completeness, decode
from tests.conftest import absent
from tests.detector_files import CBF_START, byte_offsets, cbf, cbf_section, counts


def frames(folder: Path, content: bytes, name: str = "a.cbf", **options: Any) -> list[Frame]:
    (folder / name).write_bytes(content)
    return decode(str(folder / name), name, **options)


def cause(folder: Path, content: bytes, **options: Any) -> tuple[str, str]:
    with pytest.raises(FrameRejectedError) as refused:
        frames(folder, content, **options)
    return refused.value.cause, refused.value.reason


def test_counts_of_every_width_arrive_and_pixels_that_count_nothing_are_zero_and_told(tmp_path: Path) -> None:
    values = counts()
    (frame,) = frames(tmp_path, cbf(values))
    np.testing.assert_array_equal(frame.pixels, np.maximum(values, 0))
    assert frame.pixels.dtype == np.float32  # 3,000,000 is beyond 16 bits
    assert frame.full_scale == 3_000_000
    assert frame.acquisition.extra["masked_pixels"] == str(3 * 64 + 1)
    assert frame.acquisition.extra["saturated_pixels"] == "2"


def test_counts_that_fit_have_the_full_scale_of_16_bits(tmp_path: Path) -> None:
    values = np.minimum(counts(), 999)
    (frame,) = frames(tmp_path, cbf(values))
    assert (frame.pixels.dtype, frame.full_scale) == (np.uint16, 65535)
    assert "saturated_pixels" not in frame.acquisition.extra


def test_the_header_of_dectris_is_told_in_common_terms(tmp_path: Path) -> None:
    (frame,) = frames(tmp_path, cbf(counts()), time_zone=ZoneInfo("Europe/Zurich"))
    told = frame.acquisition
    assert told.acquired_at == datetime(2021, 3, 4, 4, 6, 7, 250_000, tzinfo=UTC)
    assert (told.detector, told.pixel_size_m, told.dwell_s) == ("PILATUS 300K", 172e-6, None)
    assert {term: told.extra[term] for term in ("exposure_s", "wavelength_m", "detector_distance_m", "beam_centre_px")} == {
        "exposure_s": "0.5",
        "wavelength_m": "1.5418e-10",
        "detector_distance_m": "0.2001",
        "beam_centre_px": "31.5 20.25",
    }
    assert told.extra["Tau"] == "199.1e-09 s"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2021/Mar/04 05:06:07.25", datetime(2021, 3, 4, 5, 6, 7, 250_000, tzinfo=UTC)),
        ("Thu Mar 04 05:06:07 2021", datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)),
        ("2021-03-04T05:06:07+02:00", datetime(2021, 3, 4, 3, 6, 7, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
    ],
)
def test_dates_in_every_spelling(tmp_path: Path, said: str, expected: datetime | None) -> None:
    (frame,) = frames(tmp_path, cbf(counts(), remarks=f"# {said}\r\n# Wavelength 0 A\r\n# Pixel_size 1e999 m\r\n"))
    assert frame.acquisition.acquired_at == expected
    assert frame.acquisition.pixel_size_m is None
    assert "wavelength_m" not in frame.acquisition.extra


def test_what_fabio_writes_is_read(tmp_path: Path) -> None:
    from fabio.cbfimage import CbfImage

    values = counts()
    CbfImage(data=values).write(str(tmp_path / "a.cbf"))
    (frame,) = decode(str(tmp_path / "a.cbf"), "a.cbf")
    np.testing.assert_array_equal(frame.pixels, np.maximum(values, 0))


def test_several_sections_are_several_frames(tmp_path: Path) -> None:
    first, second = counts(seed=1), counts(seed=2)
    content = cbf(first) + cbf_section(second)
    one, two = frames(tmp_path, content)
    np.testing.assert_array_equal(one.pixels, np.maximum(first, 0))
    np.testing.assert_array_equal(two.pixels, np.maximum(second, 0))
    assert two.acquisition.detector == "PILATUS 300K"
    (tmp_path / "a.cbf").write_bytes(content[:-1000])
    assert completeness(tmp_path / "a.cbf") == "growing"


@pytest.mark.parametrize("kind", ["unsigned 16-bit integer", "unsigned 32-bit integer", "signed 32-bit real IEEE"])
def test_uncompressed_values_of_other_types(tmp_path: Path, kind: str) -> None:
    dtype = {"unsigned 16-bit integer": "<u2", "unsigned 32-bit integer": "<u4", "signed 32-bit real IEEE": "<f4"}[kind]
    values = np.abs(counts()).astype(dtype)
    if dtype == "<u4":
        values[0, :3] = 0xFFFFFFFF
    (frame,) = frames(tmp_path, cbf(values, conversion="", kind=kind))
    np.testing.assert_array_equal(frame.pixels, np.where(values == 0xFFFFFFFF, 0, values))
    assert frame.acquisition.extra.get("masked_pixels") == ("3" if dtype == "<u4" else None)


def test_a_file_grows_until_its_last_pixel(tmp_path: Path) -> None:
    content = cbf(counts())
    last = content.index(b"\r\n--CIF-BINARY-FORMAT-SECTION----") - 64
    path = tmp_path / "a.cbf"
    for length in (9, 100, content.index(CBF_START), content.index(CBF_START) + 4, last - 1):
        path.write_bytes(content[:length])
        assert completeness(path) == "growing", length
        assert cause(tmp_path, content[:length])[0] == "truncated", length
    path.write_bytes(content[:last])
    assert completeness(path) == "complete"
    assert len(frames(tmp_path, content[:last])) == 1


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"X_Binary_Size_Fastest_Dimension": 20_000, "X_Binary_Size_Second_Dimension": 20_000}, "too_large"),
        ({"X_Binary_Size_Fastest_Dimension": 999_999_999_999}, "decoder_failed"),
        ({"X_Binary_Size_Third_Dimension": 200_000}, "too_large"),
        ({"X_Binary_Size_Third_Dimension": 2}, "decoder_failed"),
        ({"X_Binary_Size_Fastest_Dimension": None}, "decoder_failed"),
        ({"X_Binary_Size": None}, "decoder_failed"),
        ({"X_Binary_Size": "-5"}, "decoder_failed"),
        ({"X_Binary_Size": 10**14}, "truncated"),
        ({"X_Binary_Element_Type": '"complex 64-bit"'}, "unsupported"),
        ({"Content_MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}, "decoder_failed"),
        ({"conversion": "x-CBF_PACKED"}, "unsupported"),
    ],
)
def test_a_header_that_says_otherwise_is_refused_by_name(tmp_path: Path, changed: dict[str, Any], expected: str) -> None:
    assert cause(tmp_path, cbf(counts(), **changed))[0] == expected


def test_a_header_without_an_end_costs_neither_time_nor_memory(tmp_path: Path) -> None:
    endless = b"###CBF: VERSION 1.5\r\n" + b"# " + b" " * (3 << 20)
    (tmp_path / "a.cbf").write_bytes(endless)
    assert completeness(tmp_path / "a.cbf") == "unknown"
    assert cause(tmp_path, endless)[0] == "decoder_failed"
    many = cbf(counts()) + cbf_section(np.ones((1, 1), np.int32)) * 200
    (tmp_path / "a.cbf").write_bytes(many)
    assert completeness(tmp_path / "a.cbf") == "unknown"
    assert cause(tmp_path, many, limits=DecodeLimits(frames=20))[0] == "too_large"


def test_a_name_that_promises_cbf_must_hold_it(tmp_path: Path) -> None:
    assert cause(tmp_path, b"hello, this is text") == ("wrong_type", "is named as CBF but is text")


async def test_a_confined_decoder_reads_it(tmp_path: Path) -> None:
    (tmp_path / "a.cbf").write_bytes(cbf(counts()))
    pool = DecoderPool()
    (frame,) = (await pool.read(str(tmp_path / "a.cbf"), "a.cbf")).frames
    await pool.close()
    np.testing.assert_array_equal(frame.pixels, np.maximum(counts(), 0))


@pytest.fixture
def pilatus() -> bytes:
    path = Path(__file__).parents[4] / "shared" / "data" / "formats" / "thau_3_2_0001.cbf.bz2"
    if not path.is_file():
        absent("shared", f"{path} is absent")
    return bz2.decompress(path.read_bytes())


def undone(packed: bytes, count: int) -> Any:
    """Byte offsets undone one by one."""
    steps, place = np.zeros(count, np.int64), 0
    for number in range(count):
        width = 1
        while True:
            step = int.from_bytes(packed[place : place + width], "little", signed=True)
            place += width
            if step != -(1 << (8 * width - 1)) or width == 8:
                break
            width *= 2
        steps[number] = step
    return steps.cumsum()


def test_byte_offsets_are_undone_as_the_description_says() -> None:
    values = counts()
    np.testing.assert_array_equal(undone(byte_offsets(values), values.size), values.ravel())


def test_a_real_pilatus_frame(tmp_path: Path, pilatus: bytes) -> None:
    (frame,) = frames(tmp_path, pilatus)
    assert completeness(tmp_path / "a.cbf") == "complete"
    begins = pilatus.index(CBF_START) + 4
    rows = 60
    expected = undone(pilatus[begins : begins + 4 * rows * 2463], rows * 2463).reshape(rows, 2463)
    np.testing.assert_array_equal(frame.pixels[:rows], np.maximum(expected, 0))
    assert frame.pixels.shape == (2527, 2463)
    assert int(frame.pixels.sum(dtype=np.int64)) == 21135765
    assert frame.acquisition.extra["masked_pixels"] == "526726"
    assert frame.acquisition.acquired_at == datetime(2019, 9, 11, 13, 20, 28, 989_000, tzinfo=UTC)
    assert (frame.acquisition.detector, frame.acquisition.pixel_size_m) == ("PILATUS3 6M", 172e-6)
    told = [frame.acquisition.extra[term] for term in ("exposure_s", "wavelength_m", "detector_distance_m", "beam_centre_px")]
    assert told == ["0.019", "9.6859e-11", "0.351", "1261.61 1306.96"]
    from fabio.cbfimage import CbfImage

    direct = CbfImage().read(_named(pilatus)).data
    assert hashlib.sha256(np.maximum(direct, 0).astype("<f4").tobytes()).digest() == hashlib.sha256(frame.pixels.tobytes()).digest()


def _named(content: bytes) -> io.BytesIO:
    from fabio.fabioutils import BytesIO

    return BytesIO(content)
