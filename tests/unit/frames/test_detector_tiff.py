from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import tifffile

from edge_agent.frames import completeness, decode
from tests.conftest import absent
from tests.detector_files import PILATUS, counts
from tests.hostile_files import tiff
from tests.reading import read

FRAMES = Path(__file__).parents[4] / "shared" / "data" / "xrd" / "frames"


def test_what_dectris_writes_into_tiff_is_told_as_it_is_of_cbf(tmp_path: Path) -> None:
    remarks = "\r\n".join(line for line in PILATUS.splitlines() if "2021" not in line and "Detector:" not in line)
    content = tiff(
        counts(),
        metadata=None,
        description=remarks,
        datetime="2014:10:24 16:33:09",
        extratags=[(272, 2, None, "PILATUS 1M-F, S/N 1", True)],
    )
    (frame,) = read(tmp_path, "a.tif", content, time_zone=ZoneInfo("America/Chicago"))
    np.testing.assert_array_equal(frame.pixels, counts().clip(0))
    told = frame.acquisition
    assert told.acquired_at == datetime(2014, 10, 24, 21, 33, 9, tzinfo=UTC)
    assert (told.detector, told.pixel_size_m, told.dwell_s) == ("PILATUS 1M-F", 172e-6, None)
    terms = ("exposure_s", "wavelength_m", "detector_distance_m", "beam_centre_px", "masked_pixels", "saturated_pixels")
    assert [told.extra[term] for term in terms] == ["0.5", "1.5418e-10", "0.2001", "31.5 20.25", "193", "2"]


@pytest.mark.parametrize(("seconds", "expected"), [(847888003, datetime(2016, 11, 13, 12, 26, 43, 375356, tzinfo=UTC)), (0, None)])
def test_what_area_detector_writes_is_told(tmp_path: Path, seconds: int, expected: datetime | None) -> None:
    tags = [(65002, 4, 1, seconds, True), (65003, 4, 1, 375356916, True), (65010, 2, None, "Wavelength(A):0.334403", True)]
    content = tiff(counts().clip(0), metadata=None, description=None, software="EPICS areaDetector", extratags=tags)
    (frame,) = read(tmp_path, "a.tif", content)
    assert frame.acquisition.extra["Wavelength(A)"] == "0.334403"
    assert frame.acquisition.acquired_at == expected


@pytest.mark.parametrize(
    ("name", "masked", "total", "when"),
    [
        ("CeO2_Pilatus1M.tif", 73560, 126770499, datetime(2014, 10, 24, 16, 33, 9, tzinfo=UTC)),
        ("Fe3O4C_M1_map_1_P1_E1_001.tif", 75683, 13200129927, datetime(2016, 11, 13, 12, 26, 43, 375356, tzinfo=UTC)),
        ("Fe3O4C_M1_map_3_P1_E1_001.tif", 75683, 13258745304, datetime(2016, 11, 13, 12, 27, 46, 714294, tzinfo=UTC)),
    ],
)
def test_real_pilatus_frames(name: str, masked: int, total: int, when: datetime) -> None:
    path = FRAMES / name
    if not path.is_file():
        absent("shared", f"{path} is absent")
    (frame,) = decode(str(path), name)
    assert completeness(path) == "complete"
    stored = tifffile.imread(path)
    assert int(stored.sum(dtype=np.int64)) == total
    np.testing.assert_array_equal(frame.pixels, stored.clip(0))
    assert int(frame.acquisition.extra["masked_pixels"]) == masked == int((stored < 0).sum())
    assert frame.acquisition.acquired_at == when
    if name == "CeO2_Pilatus1M.tif":
        told = frame.acquisition
        assert (told.detector, told.pixel_size_m) == ("PILATUS 1M-F", 172e-6)
        assert (told.extra["exposure_s"], told.extra["beam_centre_px"], told.extra["saturation_counts"]) == (
            "3",
            "498.18 515.77",
            "1097223",
        )
