"""HDF5: files that instruments wrote."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import h5py
import numpy as np

from tests.hdf5_files import frames, refusal
from tests.real_formats import real_format


def sha(pixels: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def test_a_velox_image_of_a_talos() -> None:
    (frame,) = frames(real_format("fei_emd_image.emd"))
    assert sha(frame.pixels).startswith("2c95923fdc6d1f69")
    taken = frame.acquisition
    assert (taken.instrument, taken.detector, taken.acceleration_voltage_v) == ("Talos", "HAADF", 200_000.0)
    assert (taken.pixel_size_m, taken.dwell_s, taken.magnification) == (5.3024148379916015e-09, 2e-05, 40_000.0)
    assert (taken.stage_x_m, taken.stage_y_m) == (-9.37098624e-06, 0.00014370586066)
    assert taken.acquired_at == datetime(2017, 3, 6, 9, 56, 41, tzinfo=UTC)
    assert taken.extra["Optics.CameraLength"] == "0.098000000000000004"


def test_a_nexus_file_of_a_small_angle_beamline() -> None:
    path = real_format("nexus-example.hdf5")
    found = frames(path)
    with h5py.File(path, locking=False) as file:
        stored = file["entry/instrument/detector/data"] if "data" in file["entry/instrument/detector"] else file["entry/data/frames"]
        for frame, image in zip(found, stored, strict=True):
            np.testing.assert_array_equal(frame.pixels, np.where(image < 0, 0, image))
    taken = found[9].acquisition
    assert (taken.instrument, taken.pixel_size_m) == ("APS 9-ID-C USAXS pinSAXS", 0.000172)
    assert taken.acquired_at == datetime(2016, 6, 23, 18, 2, 31, tzinfo=UTC)
    assert (taken.extra["detector_distance_m"], taken.extra["wavelength_m"]) == ("0.5408", "5.90402242e-11")


def test_a_nexus_file_of_a_spectroscopy_beamline_has_no_images() -> None:
    assert refusal(real_format("nexus_dls_example.nxs")).cause == "unsupported"


def test_patterns_of_nickel_of_two_scans() -> None:
    path = real_format("../ebsd/ni/nickel_small_refined.h5")
    found = frames(path)
    with h5py.File(path, locking=False) as file:
        stored = np.concatenate([file["Scan 1/EBSD/Data/patterns"][()], file["Scan 2/EBSD/Data/patterns"][()]])
    assert [frame.content_hash for frame in found] == [hashlib.sha256(b"60x60 uint8\n" + image.tobytes()).hexdigest() for image in stored]
    taken = found[17].acquisition
    assert (taken.instrument, taken.acceleration_voltage_v, taken.magnification) == ("Hitachi SU-6600", 20_000.0, 200.0)
    assert (taken.working_distance_m, taken.extra["scan_row"], taken.extra["scan_x_m"]) == (0.0247, "2", "3e-06")


def test_a_master_pattern_is_no_image_of_an_instrument() -> None:
    assert "/EMData/EBSDmaster/mLPNH" in refusal(real_format("../ebsd/ni/ni_mc_mp_20kv_uint8_gzip_opts9.h5")).reason


def test_a_frame_of_ceria_on_a_pilatus() -> None:
    path = real_format("../xrd/frames/ceria_50x30_740mm_000005_Pilatus2M.hdf5")
    (frame,) = frames(path)
    with h5py.File(path, locking=False) as file:
        stored = file["imageseries/images"][0]
    np.testing.assert_array_equal(frame.pixels, np.where(stored < 0, 0, stored))
    assert frame.acquisition.extra["masked_pixels"] == str(int((stored < 0).sum()))
