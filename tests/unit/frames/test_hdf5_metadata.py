"""HDF5: how the images were taken, as Velox, NeXus and the makers of EBSD detectors tell it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge_agent.frames import DecodeLimits, Source
from edge_agent.frames.readers.hdf5 import HDF5
from tests.hdf5_files import STACK, frames, holds, nexus, write

if TYPE_CHECKING:
    from pathlib import Path


def velox(file: Any) -> None:
    for number, detector_name in enumerate(("HAADF", "BF")):
        group = file.create_group(f"Data/Image/{number:032x}")
        group["Data"] = np.moveaxis(STACK + number, 0, 2)
        told = [
            {
                "Optics": {"AccelerationVoltage": "200000", "ScreenCurrent": "2.5e-010"},
                "BinaryResult": {"Detector": detector_name, "PixelSize": {"width": "5e-009"}, "PixelUnitX": "m"},
                "Stage": {"Position": {"x": str(place * 1e-6), "y": "-2e-6"}},
                "Acquisition": {"AcquisitionStartDatetime": {"DateTime": "1488794201"}},
            }
            for place in range(6)
        ]
        texts = [json.dumps(one).encode().ljust(4000, b"\0") for one in told]
        group["Metadata"] = np.stack([np.frombuffer(one, np.uint8) for one in texts], axis=1)


def test_velox_tells_of_every_frame_by_itself(tmp_path: Path) -> None:
    found = frames(write(tmp_path / "a.emd", velox))
    assert len(found) == 12
    np.testing.assert_array_equal(found[7].pixels, STACK[1] + 1)
    taken = found[7].acquisition
    assert (taken.detector, taken.acceleration_voltage_v, taken.beam_current_a, taken.pixel_size_m) == ("BF", 200_000.0, 2.5e-10, 5e-9)
    assert (taken.stage_x_m, taken.stage_y_m, taken.acquired_at) == (1e-6, -2e-6, datetime(2017, 3, 6, 9, 56, 41, tzinfo=UTC))
    assert found[0].acquisition.detector == "HAADF"


def taken_nexus(file: Any) -> None:
    nexus(file)
    entry = file["entry"]
    entry["start_time"] = "2026-03-01T12:00:00+01:00"
    for name, kind in (("instrument", "NXinstrument"), ("instrument/det", "NXdetector"), ("beam", "NXbeam"), ("sample", "NXsample")):
        entry.create_group(name).attrs["NX_class"] = kind
    entry["instrument/name"] = "P07"
    entry["sample/name"] = np.array([b"A17"])
    entry["instrument/det/count_time"] = 0.5
    entry["beam/incident_wavelength"] = 0.1
    entry["beam/incident_wavelength"].attrs["units"] = "nm"
    for name, value in (("distance", 740.0), ("x_pixel_size", 0.172)):
        entry[f"instrument/det/{name}"] = np.array([value])
        entry[f"instrument/det/{name}"].attrs["units"] = np.bytes_("mm")
    entry["instrument/det/beam_center_x"], entry["instrument/det/beam_center_y"] = 20.5, 21.0


def test_nexus_tells_in_common_terms_and_base_units(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nxs", taken_nexus)
    taken = frames(path)[0].acquisition
    assert (taken.acquired_at, taken.instrument, taken.sample_id) == (datetime(2026, 3, 1, 11, tzinfo=UTC), "P07", "A17")
    assert taken.pixel_size_m == 0.000172
    told = {key: taken.extra[key] for key in ("exposure_s", "wavelength_m", "detector_distance_m", "beam_centre_px")}
    assert told == {"exposure_s": "0.5", "wavelength_m": "1e-10", "detector_distance_m": "0.74", "beam_centre_px": "20.5, 21"}
    with HDF5.stack(Source(str(path), "a.nxs", b""), DecodeLimits(), None) as stack:
        assert stack.page(0).sources["detector_distance_m"] == "/entry/instrument/det/distance"


@pytest.mark.parametrize(("unit", "wavelength_m"), [("A", "1e-10"), ("angstrom", "1e-10"), ("pm", "1e-12"), ("keV", None), ("s", None)])
def test_an_a_of_a_length_is_no_ampere_and_a_unit_of_another_kind_tells_nothing(
    tmp_path: Path, unit: str, wavelength_m: str | None
) -> None:
    def build(file: Any) -> None:
        taken_nexus(file)
        file["entry/beam/incident_wavelength"][...] = 1.0
        file["entry/beam/incident_wavelength"].attrs["units"] = unit
        file["entry/instrument/det/count_time"].attrs["units"] = "m"

    taken = frames(write(tmp_path / "a.nxs", build))[0].acquisition
    assert taken.extra.get("wavelength_m") == wavelength_m
    assert "exposure_s" not in taken.extra


def test_patterns_say_where_in_their_scan_they_were_taken(tmp_path: Path) -> None:
    def build(file: Any) -> None:
        file["1/EBSD/Data/Unprocessed Patterns"] = STACK
        header = file.create_group("1/EBSD/Header")
        header["X Cells"], header["X Step"], header["Y Step"] = [3], [2.0], [4.0]
        header["Beam Voltage"] = [20.0]
        header["Beam Voltage"].attrs["Unit"] = "kV"
        header["Working Distance"] = [18.0]
        header["Working Distance"].attrs["Unit"] = "mm"
        header["Magnification"] = [500.0]

    taken = frames(write(tmp_path / "a.h5oina", build))[5].acquisition
    assert (taken.acceleration_voltage_v, taken.working_distance_m, taken.magnification) == (20_000.0, 0.018, 500.0)
    told = {key: taken.extra[key] for key in ("scan_index", "scan_row", "scan_column", "scan_x_m", "scan_y_m")}
    assert told == {"scan_index": "5", "scan_row": "1", "scan_column": "2", "scan_x_m": "4e-06", "scan_y_m": "4e-06"}


@pytest.mark.parametrize("told", [b"\xff" * 10, b"{" * 5000, b"[1]", b'{"Optics": []}'])
def test_metadata_that_make_no_sense_are_as_good_as_none(tmp_path: Path, told: bytes) -> None:
    def build(file: Any) -> None:
        file["Data/Image/a/Data"] = np.moveaxis(STACK, 0, 2)
        file["Data/Image/a/Metadata"] = np.frombuffer(told, np.uint8)[:, None]

    assert holds(write(tmp_path / "a.emd", build), STACK)
