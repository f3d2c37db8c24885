from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.frames import DecodeLimits, Page, Source, completeness
from edge_agent.frames.page import Axis
from edge_agent.frames.readers.xrdml import XRDML
from tests.conftest import absent
from tests.detector_files import xrdml
from tests.reading import check_growth, read, refused

SCAN = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]


def pages(content: bytes) -> list[Page]:
    return list(XRDML.read(Source("", "a.xrdml", content), DecodeLimits(), None))


def test_a_scan_is_its_intensities_along_two_theta_and_how_they_were_measured() -> None:
    (page,) = pages(xrdml(SCAN))
    np.testing.assert_array_equal(page.values, SCAN)
    assert page.axis == Axis("2Theta", 10.0, 20.0, "deg")
    told = page.acquisition
    assert told.acquired_at == datetime(2021, 3, 16, 10, 10, 14, tzinfo=UTC)
    assert (told.instrument, told.detector, told.sample_id) == ("EMPYREAN", "PIXcel1D", "A17")
    assert (told.acceleration_voltage_v, told.dwell_s) == (None, None)  # an X-ray tube's voltage accelerates nothing onto the sample
    terms = ("exposure_s", "wavelength_m", "scan_axis", "scan_start_deg", "scan_end_deg", "scan_step_deg", "xRayTube.tension")
    assert [told.extra[term] for term in terms] == ["39.27", "1.540598e-10", "Gonio", "10", "20", "1", "45.0 kV"]
    assert page.sources["wavelength_m"] == "usedWavelength/kAlpha1"


def test_the_wavelength_of_an_unresolved_doublet_is_its_mean_by_intensity() -> None:
    (page,) = pages(xrdml(SCAN, intended="K-Alpha"))
    assert float(page.acquisition.extra["wavelength_m"]) == pytest.approx((1.540598 + 0.5 * 1.544426) / 1.5 * 1e-10, rel=1e-9)


def test_several_scans_are_several_pages_in_either_version() -> None:
    first, second = pages(xrdml(SCAN, SCAN[::-1], element="counts"))
    np.testing.assert_array_equal(first.values, SCAN)
    np.testing.assert_array_equal(second.values, SCAN[::-1])


def test_an_area_is_one_image_that_models_can_look_at(tmp_path: Path) -> None:
    values = np.random.default_rng(0).poisson(20, (40, 50))
    (frame,) = read(tmp_path, "a.xrdml", xrdml(*values.tolist(), measurement_type="Area measurement"))
    np.testing.assert_array_equal(frame.pixels, values)
    assert frame.acquisition.extra["scans"] == "40"
    assert len(pages(xrdml(SCAN, SCAN[:5], measurement_type="Area measurement"))) == 2


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        ("<listPositions>10 11 12 13 14 15 16 17 18 19 20</listPositions>", Axis("2Theta", 10.0, 20.0, "deg")),
        ("<listPositions>10 11 13 17 20</listPositions>", None),
        ("<startPosition>x</startPosition>", None),
        ("<commonPosition>30</commonPosition>", Axis("Omega", 5.0, 10.0, "deg")),
    ],
)
def test_positions_in_every_form(positions: str, expected: Axis | None) -> None:
    (page,) = pages(xrdml(SCAN, positions=positions))
    assert page.axis == expected


def test_a_scan_is_refused_as_no_image(tmp_path: Path) -> None:
    assert refused(tmp_path, "a.xrdml", xrdml(SCAN)) == (
        "unsupported",
        "the frame is a scan of 11 points, and the models look at images",
    )


def test_a_file_grows_until_its_last_element_is_closed(tmp_path: Path) -> None:
    content = xrdml(*np.eye(40, dtype=int).tolist(), measurement_type="Area measurement")
    last = content.index(b"</xrdMeasurements>") + len(b"</xrdMeasurements>")
    check_growth(tmp_path, "a.xrdml", content, last, (100, 1000, last // 2, last - 17))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ((b"<comment>", b"<comment></"), "decoder_failed"),
        ((b'encoding="UTF-8"?>', b'encoding="UTF-8"?><!DOCTYPE x [<!ENTITY a "b">]>'), "decoder_failed"),
        ((b"3 1 4", b"3 x 4"), "decoder_failed"),
        ((b"3 1 4 1 5 9 2 6 5 3 5", b""), "unsupported"),
        ((b"<xrdMeasurement ", b"<other "), "decoder_failed"),
    ],
)
def test_what_is_no_such_text_is_refused(tmp_path: Path, changed: tuple[bytes, bytes], expected: str) -> None:
    assert refused(tmp_path, "a.xrdml", xrdml(SCAN).replace(*changed))[0] == expected


def test_numbers_beyond_all_bounds_stay_numbers() -> None:
    (page,) = pages(xrdml([1e300, 1, 2]))
    assert page.values.dtype == np.float64


def real() -> Any:
    path = Path(__file__).parents[4] / "shared" / "data" / "formats" / "XRD-918-16_10.xrdml"
    if not path.is_file():
        absent("shared", f"{path} is absent")
    return path


def test_a_real_scan() -> None:
    path = real()
    assert completeness(path) == "complete"
    (page,) = pages(path.read_bytes())
    text = path.read_text()
    said = text.split('<intensities unit="counts">')[1].split("</intensities>")[0].split()
    np.testing.assert_array_equal(page.values, [int(one) for one in said])
    assert len(page.values) == len(said) == 5027
    assert page.axis == Axis("2Theta", 4.00656514, 69.99936587, "deg")
    told = page.acquisition
    assert told.acquired_at == datetime(2021, 3, 16, 10, 10, 14, tzinfo=UTC)
    assert (told.instrument, told.detector, told.sample_id) == ("EMPYREAN", "PIXcel1D-Medipix3 detector", None)
    assert (told.extra["exposure_s"], told.extra["wavelength_m"]) == ("39.27", "1.540598e-10")
    assert float(told.extra["scan_step_deg"]) == pytest.approx(0.01313, abs=1e-5)
