from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.frames import completeness
from tests.detector_files import counts, edf
from tests.reading import check_growth, read, refused

SAXS = {
    "Time": "2010-04-20 12:34:56.500",
    "DetectorName": "FReLoN",
    "SampleName": "A17",
    "ExposureTime": "0.5",
    "WaveLength": "1.54e-10",
    "SampleDistance": "2.5",
    "PSize_1": "4.7e-05",
    "Center_1": "31.5",
    "Center_2": "20.25",
    "Title": "a = b",
}


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        ("<u1", "UnsignedByte"),
        ("<u2", "UnsignedShort"),
        (">u2", "UnsignedShort"),
        ("<i4", "SignedInteger"),
        (">i4", "SignedLong"),
        ("<u4", "UnsignedInteger"),
        ("<i8", "Signed64"),
        ("<f4", "FloatValue"),
        (">f4", "FloatIEEE32"),
        ("<f8", "DoubleValue"),
    ],
)
def test_pixels_of_every_type_arrive(tmp_path: Path, dtype: str, kind: str) -> None:
    values = counts().clip(0, 250).astype(dtype)
    (frame,) = read(tmp_path, "a.edf", edf(values, kind))
    np.testing.assert_array_equal(frame.pixels, values)


@pytest.mark.parametrize("dtype", ["uint16", "int32", "float32", "uint8", "uint32"])
def test_what_fabio_writes_is_read(tmp_path: Path, dtype: str) -> None:
    from fabio.edfimage import EdfImage

    values = np.stack([counts(seed=seed).clip(0, 250).astype(dtype) for seed in range(3)])
    stack = EdfImage(data=values[0], header={"Title": "a"})
    for more in values[1:]:
        stack.append_frame(data=more)
    stack.write(str(tmp_path / "a.edf"))
    frames = read(tmp_path, "a.edf", (tmp_path / "a.edf").read_bytes())
    assert completeness(tmp_path / "a.edf") == "complete"
    np.testing.assert_array_equal([frame.pixels for frame in frames], values)


def test_how_it_was_taken_is_told_in_common_terms(tmp_path: Path) -> None:
    (frame,) = read(tmp_path, "a.edf", edf(counts().astype("<i4"), "SignedInteger", **SAXS))
    told = frame.acquisition
    assert told.acquired_at == datetime(2010, 4, 20, 12, 34, 56, 500_000, tzinfo=UTC)
    assert (told.detector, told.sample_id, told.pixel_size_m, told.dwell_s) == ("FReLoN", "A17", 4.7e-5, None)
    terms = [told.extra[term] for term in ("exposure_s", "wavelength_m", "detector_distance_m", "beam_centre_px", "masked_pixels")]
    assert terms == ["0.5", "1.54e-10", "2.5", "31.5 20.25", "193"]
    assert told.extra["title"] == "a = b"


@pytest.mark.parametrize(("said", "expected"), [("1.54", "1.54e-10"), ("-1", None), ("x", None)])
def test_a_wavelength_in_angstrom_or_none(tmp_path: Path, said: str, expected: str | None) -> None:
    (frame,) = read(tmp_path, "a.edf", edf(counts(), "SignedInteger", WaveLength=said))
    assert frame.acquisition.extra.get("wavelength_m") == expected


@pytest.mark.parametrize(
    ("said", "expected"), [("1271766896.5", datetime(2010, 4, 20, 12, 34, 56, 500_000, tzinfo=UTC)), ("1e300", None), ("nan", None)]
)
def test_a_time_in_seconds_since_1970(tmp_path: Path, said: str, expected: datetime | None) -> None:
    (frame,) = read(tmp_path, "a.edf", edf(counts(), "SignedInteger", time_of_day=said))
    assert frame.acquisition.acquired_at == expected


def test_counts_below_a_dark_frame_are_no_flags(tmp_path: Path) -> None:
    values = counts()
    values[0, 0] = -7
    (frame,) = read(tmp_path, "a.edf", edf(values, "SignedInteger"))
    np.testing.assert_array_equal(frame.pixels, values)
    assert "masked_pixels" not in frame.acquisition.extra


def test_blocks_and_planes_are_frames_and_the_general_block_is_none(tmp_path: Path) -> None:
    planes = np.stack([counts(seed=1), counts(seed=2)]).clip(0)
    general = b"{\nEDF_DataFormatVersion = 2.40 ;\nEDF_BinarySize = 0 ;\n".ljust(510) + b"}\n"
    content = general + edf(planes, "SignedInteger") + edf(counts(seed=3).clip(0), "SignedInteger", Title="third") + bytes(100)
    frames = read(tmp_path, "a.edf", content)
    np.testing.assert_array_equal([frame.pixels for frame in frames], [*planes, counts(seed=3).clip(0)])
    assert frames[2].acquisition.extra["title"] == "third"
    check_growth(tmp_path, "a.edf", content, len(content) - 100, (100, 511, 513, 2000, 1024 + 512 + planes.nbytes + 7))


def test_a_file_grows_until_its_last_pixel(tmp_path: Path) -> None:
    content = edf(counts(), "SignedInteger", **SAXS)
    check_growth(tmp_path, "a.edf", content, len(content), (60, 500, 1023, 1024, 2000))
    check_growth(tmp_path, "a.edf", edf(counts(), "SignedInteger", Size=None), len(content), (1024, 2000))
    check_growth(tmp_path, "a.edf", edf(counts(), "SignedInteger", Size=10**13), len(content), (1024, 2000))


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"Dim_1": 100_000, "Dim_2": 100_000}, "too_large"),
        ({"Dim_3": 100_000}, "too_large"),
        ({"Dim_1": "-3"}, "decoder_failed"),
        ({"DataType": "QuadrupleValue"}, "unsupported"),
        ({"DataType": None}, "unsupported"),
        ({"Compression": "GzipCompression"}, "unsupported"),
        ({"EDF_BinaryFileName": "/etc/passwd"}, "unsupported"),
        ({"Dim_1": 31}, "too_small"),
    ],
)
def test_a_header_that_says_otherwise_is_refused_by_name(tmp_path: Path, keys: dict[str, Any], expected: str) -> None:
    cause, reason = refused(tmp_path, "a.edf", edf(counts(), "SignedInteger", **keys))
    assert cause == expected, reason


def test_no_other_file_is_ever_opened(tmp_path: Path) -> None:
    (tmp_path / "b.raw").write_bytes(counts().tobytes())
    content = edf(counts(), "SignedInteger", EDF_BinaryFileName="b.raw", EDF_BinaryFilePosition=0, EDF_BinaryFileSize=counts().nbytes)
    assert refused(tmp_path, "a.edf", content[:1024]) == ("unsupported", "says that its pixels lie in another file")


def test_endless_headers_cost_neither_time_nor_memory(tmp_path: Path) -> None:
    (tmp_path / "a.edf").write_bytes(b"{\nHeaderID = 1 ;\n" + b" " * (3 << 20))
    assert completeness(tmp_path / "a.edf") == "unknown"
    (tmp_path / "a.edf").write_bytes(b"{\nHeaderID = 1 ;\n}\n" * 5000)
    assert completeness(tmp_path / "a.edf") == "unknown"
    assert refused(tmp_path, "a.edf", b"{\nHeaderID = 1 ;\n}\n" * 5000)[0] == "unsupported"
