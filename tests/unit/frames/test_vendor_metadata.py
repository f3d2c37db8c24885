import doctest
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from edge_agent.core.errors import FrameRejectedError
from edge_agent.frames import DecodeLimits, completeness, decode, signature
from edge_agent.frames.decode import open_source
from edge_agent.frames.readers import ini, record
from edge_agent.frames.readers import units as vendor
from edge_agent.frames.readers.tiff import fei, imagej
from tests.conftest import absent
from tests.hostile_files import micrograph, tiff

FEI_TEXT = """[User]\r\nDate=06/13/2016\r\nTime=05:06:40 PM\r\n[System]\r\nSystemType=Helios NanoLab\r\n[Beam]\r\nHV=5000\r\nBeam=EBeam\r
Scan=EScan\r
[EBeam]\r\nHV=5000\r\nHFW=0.00172667\r\nWD=0.00403466\r\nBeamCurrent=6.25e-12\r\n[EScan]\r\nDwell=1e-05\r\nPixelWidth=3.3724e-06\r
[Stage]\r\nStageX=2.576e-05\r\nStageY=-0.000194177\r\n[Image]\r\nResolutionY=50\r\nMagCanvasRealWidth=0.2072\r\n[Detectors]\r\nName=ETD\r
[PrivateFei]\r\nDatabarHeight=14\r\nTimeOfCreation=13.06.2016 17:06:40\r\n"""
ZEISS_TEXT = """0\r\n0\r\n\r\nAP_ACTUALKV\r\nEHT = 25.00 kV\r\nAP_WD\r\nWD = 14.8 mm\r\nAP_MAG\r\nMag = 1.50 K X\r\nDP_DETECTOR_CHANNEL\r
Signal A = HE-SE2\r\nAP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 2.615 \xb5m\r\nAP_IPROBE\r\nI Probe = 1.0 nA\r\nDP_DWELL_TIME\r
Dwell Time = 50 ns\r
SV_SAMPLE_ID\r\nSample ID = A17\r\nAP_DATE\r\nDate :23 Dec 2015\r\nAP_TIME\r\nTime :9:40:32\r\n"""


def with_tag(pixels: object, tag: int, text: str) -> bytes:
    return tiff(pixels, metadata=None, extratags=[(tag, 7, None, text.encode("cp1252") + b"\0", True)])


@pytest.mark.parametrize("tag", [34680, 34682])
def test_fei_tells_how_it_was_taken_and_how_high_the_data_bar_is(tmp_path: Path, tag: int) -> None:
    pixels = micrograph()
    (tmp_path / "a.tif").write_bytes(with_tag(pixels, tag, FEI_TEXT))
    (frame,) = decode(str(tmp_path / "a.tif"), "a.tif", time_zone=ZoneInfo("Europe/Zurich"))
    np.testing.assert_array_equal(frame.pixels, pixels[:50])
    told = frame.acquisition
    assert told.acquired_at == datetime(2016, 6, 13, 15, 6, 40, tzinfo=UTC)
    assert (told.acceleration_voltage_v, told.beam_current_a, told.dwell_s) == (5000, 6.25e-12, 1e-5)
    assert (told.pixel_size_m, told.working_distance_m, told.magnification) == (3.3724e-6, 0.00403466, 120.0)
    assert (told.stage_x_m, told.stage_y_m, told.detector, told.instrument) == (2.576e-5, -0.000194177, "ETD", "Helios NanoLab")
    assert told.extra["PrivateFei.DatabarHeight"] == "14"


def test_zeiss_tells_how_it_was_taken(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(with_tag(micrograph(), 34118, ZEISS_TEXT))
    (frame,) = decode(str(tmp_path / "a.tif"), "a.tif")
    told = frame.acquisition
    assert frame.pixels.shape == (64, 80)
    assert told.acquired_at == datetime(2015, 12, 23, 9, 40, 32, tzinfo=UTC)
    assert (told.acceleration_voltage_v, told.beam_current_a, told.dwell_s) == (25000, 1e-9, 5e-8)
    assert (told.pixel_size_m, told.working_distance_m, told.magnification) == (2.615e-6, 0.0148, 1500)
    assert (told.sample_id, told.detector) == ("A17", "HE-SE2")


@pytest.mark.parametrize(
    "text", ["", "\r\n\r\n", "[EBeam]\r\nHV=high\r\n", "no section\r\n= =\r\n", "[PrivateFei]\r\nDatabarHeight=900\r\n"]
)
@pytest.mark.parametrize("tag", [34118, 34680, 34682])
def test_a_vendor_tag_that_makes_no_sense_does_no_harm(tmp_path: Path, tag: int, text: str) -> None:
    (tmp_path / "a.tif").write_bytes(with_tag(micrograph(), tag, text))
    (frame,) = decode(str(tmp_path / "a.tif"), "a.tif")
    assert frame.pixels.shape == (64, 80)
    assert frame.acquisition.acceleration_voltage_v is None


@pytest.fixture
def formats() -> Path:
    folder = Path(__file__).parents[4] / "shared" / "data" / "formats"
    if not folder.is_dir():
        absent("shared", f"{folder} is absent")
    return folder


def test_a_real_zeiss_file_is_read_and_its_data_zone_cropped(formats: Path) -> None:
    path = formats / "test_tiff_Zeiss_SEM_1k.tif"
    (frame,) = decode(str(path), path.name, time_zone=ZoneInfo("Asia/Seoul"))
    told = frame.acquisition
    assert frame.pixels.shape == (690, 1024)
    assert told.acquired_at == datetime(2015, 12, 23, 0, 40, 32, tzinfo=UTC)
    assert (told.acceleration_voltage_v, told.beam_current_a, told.magnification) == (25000, 1e-9, 105)
    assert (told.pixel_size_m, told.working_distance_m, told.dwell_s) == (2.615e-6, 0.014808, 5e-8)
    assert (told.stage_x_m, told.stage_y_m, told.sample_id) == (0.0756442, 0.0604901, None)
    assert completeness(path) == "complete"
    reader, source = open_source(str(path), path.name, DecodeLimits())
    (page,) = reader.read(source, DecodeLimits(), None)
    assert page.sources == {
        "acquired_at": "AP_DATE, AP_TIME",
        "instrument": "SV_SERIAL_NUMBER",
        "detector": "DP_DETECTOR_CHANNEL",
        "acceleration_voltage_v": "AP_ACTUALKV",
        "beam_current_a": "AP_IPROBE",
        "magnification": "AP_MAG",
        "pixel_size_m": "AP_IMAGE_PIXEL_SIZE",
        "dwell_s": "DP_DWELL_TIME",
        "working_distance_m": "AP_WD",
        "stage_x_m": "AP_STAGE_AT_X",
        "stage_y_m": "AP_STAGE_AT_Y",
    }


def test_a_real_fei_file_whose_image_is_blank_is_refused_because_its_data_bar_is_no_image(formats: Path) -> None:
    path = formats / "FEI-Helios-Ebeam-8bits.tif"
    with pytest.raises(FrameRejectedError) as refused:
        decode(str(path), path.name)
    assert refused.value.cause == "constant"


def test_a_real_fei_files_metadata_are_read(formats: Path) -> None:
    import tifffile

    with tifffile.TiffFile(formats / "FEI-Helios-Ebeam-8bits.tif") as tiff_file:
        page = tiff_file.pages[0]
        said = fei.read_fei(page.tags[34682].value, page.imagelength, None)
    told = said.acquisition()
    assert said.bar_rows == 29
    assert said.sources == {
        "acquired_at": "[PrivateFei] TimeOfCreation",
        "instrument": "[System] SystemType",
        "detector": "[Detectors] Name",
        "acceleration_voltage_v": "[EBeam] HV",
        "beam_current_a": "[EBeam] BeamCurrent",
        "magnification": "[Image] MagCanvasRealWidth / [EBeam] HFW",
        "pixel_size_m": "[EScan] PixelWidth",
        "dwell_s": "[EScan] Dwell",
        "working_distance_m": "[EBeam] WD",
        "stage_x_m": "[Stage] StageX",
        "stage_y_m": "[Stage] StageY",
    }
    assert told.acquired_at == datetime(2016, 6, 13, 17, 6, 40, tzinfo=UTC)
    assert (told.acceleration_voltage_v, told.detector, told.dwell_s, told.magnification) == (5000, "ETD", 1e-5, 120.0)


@pytest.mark.parametrize("lot", ["superalloy", "ebc", "powder", "spheroidite", "am_meltpool"])
def test_real_micrographs_are_read(formats: Path, lot: str) -> None:
    path = min((formats.parent / "sem" / lot).iterdir())
    (frame,) = decode(str(path), path.name)
    assert frame.pixels.dtype == np.uint8
    assert min(frame.pixels.shape) >= 450


@pytest.mark.parametrize("module", [vendor, signature, ini, record, imagej])
def test_the_examples_hold(module) -> None:
    assert doctest.testmod(module).failed == 0
