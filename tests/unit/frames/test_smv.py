from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.frames import completeness
from tests.conftest import absent
from tests.detector_files import counts, smv
from tests.reading import check_growth, read, refused

TIMEPIX = {
    "PIXEL_SIZE": "0.05500",
    "BEAMLINE": "TimePix_SU",
    "DETECTOR_SN": 901,
    "DATE": "Tue Jun 26 09:43:09 2007",
    "TIME": "0.092500",
    "DISTANCE": "531.85",
    "WAVELENGTH": "0.025100",
    "BEAM_CENTER_X": 246,
    "BEAM_CENTER_Y": 240,
}


def values(dtype: str = "<u2") -> Any:
    return np.maximum(counts(), 0).clip(0, 60_000).astype(dtype)


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [("<u2", "unsigned_short"), (">u2", "unsigned_short"), ("<i4", "signed_long"), ("<u4", "unsigned long int"), ("<f4", "float")],
)
def test_pixels_of_every_type_arrive(tmp_path: Path, dtype: str, kind: str) -> None:
    (frame,) = read(tmp_path, "a.img", smv(values(dtype), kind, **TIMEPIX))
    np.testing.assert_array_equal(frame.pixels, values(dtype))


def test_how_it_was_taken_is_told_in_common_terms(tmp_path: Path) -> None:
    (frame,) = read(tmp_path, "a.img", smv(values(), **TIMEPIX))
    told = frame.acquisition
    assert told.acquired_at == datetime(2007, 6, 26, 9, 43, 9, tzinfo=UTC)
    assert (told.instrument, told.detector, told.pixel_size_m, told.dwell_s) == ("TimePix_SU", "901", 5.5e-5, None)
    terms = [told.extra[term] for term in ("exposure_s", "wavelength_m", "detector_distance_m", "beam_centre_px")]
    assert terms == ["0.0925", "2.51e-12", "0.53185", "246 240"]


def test_a_beam_centre_in_millimetres_is_told_in_pixels(tmp_path: Path) -> None:
    (frame,) = read(tmp_path, "a.img", smv(values(), **{**TIMEPIX, "BEAM_CENTER_X": 1.1, "BEAM_CENTER_Y": 2.2}))
    assert frame.acquisition.extra["beam_centre_px"] == "20 40"


def test_the_dialect_of_rigaku_is_understood(tmp_path: Path) -> None:
    content = smv(
        values(),
        header_bytes=1024,
        TYPE=None,
        Data_type="unsigned short int",
        Compression="None",
        ROTATION="0.0 0.5 0.5 10.0 0 0 0 0 0 0",
        SOURCE_WAVELENGTH="1 1.5418",
        CCD_SPATIAL_DISTORTION_INFORMATION="31.5 20.25 0.0703 0.0703",
        SATURATED_VALUE="40000",
        DTREK_DATE_TIME="25-Sep-2012 15:31:09",
    )
    (frame,) = read(tmp_path, "a.img", content)
    told = frame.acquisition
    np.testing.assert_array_equal(frame.pixels, values())
    assert (told.acquired_at, told.pixel_size_m) == (datetime(2012, 9, 25, 15, 31, 9, tzinfo=UTC), 7.03e-5)
    terms = [told.extra[term] for term in ("exposure_s", "wavelength_m", "beam_centre_px", "saturation_counts", "saturated_pixels")]
    assert terms == ["10", "1.5418e-10", "31.5 20.25", "40000", "2"]


def test_a_file_grows_until_its_last_pixel(tmp_path: Path) -> None:
    content = smv(values(), **TIMEPIX)
    check_growth(tmp_path, "a.img", content, len(content), (30, 100, 511, 512, 600))


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"SIZE1": 100_000, "SIZE2": 100_000}, "too_large"),
        ({"SIZE1": 0}, "decoder_failed"),
        ({"SIZE1": "9" * 30}, "decoder_failed"),
        ({"DIM": 3}, "unsupported"),
        ({"TYPE": "mad"}, "unsupported"),
        ({"COMPRESSION": "rice"}, "unsupported"),
        ({"HEADER_BYTES": 99_999_999}, "truncated"),
        ({"SIZE1": 31}, "too_small"),
    ],
)
def test_a_header_that_says_otherwise_is_refused_by_name(tmp_path: Path, keys: dict[str, Any], expected: str) -> None:
    assert refused(tmp_path, "a.img", smv(values(), **keys))[0] == expected


def test_a_header_that_claims_to_be_endless_is_left_to_the_decoder(tmp_path: Path) -> None:
    (tmp_path / "a.img").write_bytes(smv(values(), HEADER_BYTES=99_999_999))
    assert completeness(tmp_path / "a.img") == "unknown"


def test_other_files_of_that_name_are_left_alone(tmp_path: Path) -> None:
    assert refused(tmp_path, "a.img", b"\x01\x02 a disk image")[0] == "wrong_type"


def test_a_real_timepix_frame(tmp_path: Path) -> None:
    path = Path(__file__).parents[4] / "shared" / "data" / "formats" / "TIMEPIX_SU_512-stdgoni_0001.img"
    if not path.is_file():
        absent("shared", f"{path} is absent")
    content = path.read_bytes()
    (frame,) = read(tmp_path, "a.img", content)
    assert completeness(path) == "complete"
    expected = np.frombuffer(content[512:], "<u2").reshape(512, 512)
    np.testing.assert_array_equal(frame.pixels, expected)
    assert (int(expected.sum()), int(expected.max())) == (3357809, 11810)
    told = frame.acquisition
    assert (told.acquired_at, told.pixel_size_m) == (datetime(2007, 6, 26, 9, 43, 9, tzinfo=UTC), 5.5e-5)
    assert (told.extra["wavelength_m"], told.extra["beam_centre_px"]) == ("2.51e-12", "246 240")  # electrons of 200 kV
    from fabio.dtrekimage import DtrekImage

    np.testing.assert_array_equal(DtrekImage().read(str(path)).data, frame.pixels)
