"""HDF5: which datasets are the images, how they were taken, and that a file never makes the agent read another."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import h5py
import hdf5plugin
import numpy as np
import pytest

from edge_agent.core.errors import FrameRejectedError
from edge_agent.core.portion import Portion
from edge_agent.frames import DecodeLimits, DecoderPool, Source, completeness, decode, decode_portion
from edge_agent.frames.readers.hdf5 import HDF5, tree
from tests.real_formats import real_format

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STACK = np.random.default_rng(5).integers(1, 4000, (6, 40, 48)).astype(np.uint16)


def write(path: Path, build: Callable[[Any], object], **how: Any) -> Path:
    with h5py.File(path, "w", **how) as file:
        build(file)
    return path


def frames(path: Path) -> list[Any]:
    return decode(str(path), path.name)


def refusal(path: Path, limits: DecodeLimits | None = None) -> FrameRejectedError:
    with pytest.raises(FrameRejectedError) as refused:
        decode(str(path), path.name, limits)
    return refused.value


def holds(path: Path, stack: np.ndarray) -> bool:
    found = frames(path)
    return len(found) == len(stack) and all(np.array_equal(one.pixels, image) for one, image in zip(found, stack, strict=True))


# Which datasets are the images


def nexus(file: Any) -> None:
    file.attrs["default"] = "entry"
    entry = file.create_group("entry")
    entry.attrs["NX_class"] = "NXentry"
    entry.attrs["default"] = "data"
    data = entry.create_group("data")
    data.attrs["NX_class"] = "NXdata"
    data.attrs["signal"] = "frames"
    data["frames"] = STACK
    entry["larger"] = np.zeros((9, 90, 90))


def detector(file: Any) -> None:
    group = file.create_group("entry/instrument/eiger")
    group.attrs["NX_class"] = np.bytes_("NXdetector")
    group["data"] = STACK
    file["entry/larger"] = np.zeros((9, 90, 90))


def eiger_data(file: Any) -> None:
    """A Dectris data file: compressed, and its NXdata names no signal."""
    group = file.create_group("entry/data")
    group.attrs["NX_class"] = "NXdata"
    group.create_dataset("data", data=STACK, chunks=(1, 40, 48), **hdf5plugin.Bitshuffle(cname="lz4"))


def patterns(path: str) -> Callable[[Any], object]:
    def build(file: Any) -> None:
        file[path] = STACK
        file[path.partition("/")[0] + "/EBSD/Header/static_background"] = np.zeros((400, 480), np.uint16)

    return build


def soft_linked(file: Any) -> None:
    nexus(file)
    file["raw"] = STACK
    del file["entry/data/frames"]
    file["entry/data/frames"] = h5py.SoftLink("../../raw".replace("../../", "/"))


LAYOUTS: dict[str, Callable[[Any], object]] = {
    "the default plot's signal": nexus,
    "the detector's data": detector,
    "an Eiger's data file": eiger_data,
    "a soft link to them": soft_linked,
    "kikuchipy": patterns("Scan 1/EBSD/Data/patterns"),
    "EDAX": patterns("Scan 1/EBSD/Data/Pattern"),
    "Bruker": patterns("Scan 0/EBSD/Data/RawPatterns"),
    "Oxford": patterns("1/EBSD/Data/Processed Patterns"),
    "EMsoft": lambda file: file.create_dataset("EMData/EBSD/EBSDPatterns", data=STACK),
    "the largest": lambda file: [file.create_dataset("small", data=np.zeros((2, 64, 64))), file.create_dataset("a/b", data=STACK * 1.0)],
    "a map of patterns": lambda file: file.create_dataset("d", data=STACK.reshape(2, 3, 40, 48)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_images_are_those_that_the_layout_says(tmp_path: Path, layout: str) -> None:
    assert holds(write(tmp_path / "a.h5", LAYOUTS[layout]), STACK)


def test_of_several_scans_the_patterns_follow_in_the_order_of_their_names(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", lambda file: [file.create_dataset(f"Scan {n}/EBSD/Data/Pattern", data=STACK + n) for n in (10, 2)])
    assert holds(path, np.concatenate([STACK + 2, STACK + 10]))


def test_what_oxfords_detector_delivered_is_read_rather_than_what_was_made_of_it(tmp_path: Path) -> None:
    def build(file: Any) -> None:
        file["1/EBSD/Data/Processed Patterns"] = STACK + 1
        file["1/EBSD/Data/Unprocessed Patterns"] = STACK

    assert holds(write(tmp_path / "a.h5oina", build), STACK)


def test_datasets_of_equal_rank_are_named_instead_of_one_being_guessed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", lambda file: [file.create_dataset(name, data=STACK) for name in ("left", "right")])
    refused = refusal(path)
    assert refused.cause == "unsupported"
    assert "/left, /right" in refused.reason


@pytest.mark.parametrize("data", [np.arange(9.0), np.zeros((29, 15)), np.zeros((64, 64), np.complex64), np.zeros((64, 64), "S4")])
def test_a_file_without_images_says_so(tmp_path: Path, data: Any) -> None:
    assert (
        "without a dataset that could be images"
        in refusal(write(tmp_path / "a.h5", lambda file: file.create_dataset("d", data=data))).reason
    )


def test_a_picture_in_true_colour_is_one_frame(tmp_path: Path) -> None:
    def build(file: Any) -> None:
        picture = file.create_dataset("picture", data=np.repeat(STACK[0, :, :, None].astype(np.uint8), 3, axis=2))
        picture.attrs["IMAGE_SUBCLASS"] = np.bytes_("IMAGE_TRUECOLOR")

    assert holds(write(tmp_path / "a.h5", build), STACK[:1].astype(np.uint8))


@pytest.mark.parametrize("how", [hdf5plugin.LZ4(), hdf5plugin.Zstd(), hdf5plugin.Bitshuffle(), hdf5plugin.Blosc(), {"compression": "gzip"}])
def test_what_detectors_compress_with_is_read(tmp_path: Path, how: Any) -> None:
    assert holds(write(tmp_path / "a.h5", lambda file: file.create_dataset("d", data=STACK, chunks=(2, 40, 48), **how)), STACK)


def test_a_compression_that_is_not_installed_is_named(tmp_path: Path) -> None:
    def build(file: Any) -> None:
        how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        how.set_chunk((1, 40, 48))
        how.set_filter(32099, h5py.h5z.FLAG_OPTIONAL, ())
        h5py.h5d.create(file.id, b"d", h5py.h5t.NATIVE_UINT16, h5py.h5s.create_simple(STACK.shape), how)
        file["d"][:] = STACK

    refused = refusal(write(tmp_path / "a.h5", build))
    assert refused.cause == "unsupported"
    assert "32099" in refused.reason


def test_the_masked_pixels_of_a_counting_detector_count_nothing(tmp_path: Path) -> None:
    counts = STACK.astype(np.uint32)
    counts[:, 3, 5] = 2**32 - 1
    (first, *_) = frames(write(tmp_path / "a.h5", lambda file: file.create_dataset("d", data=counts)))
    assert first.pixels[3, 5] == 0
    assert first.acquisition.extra["masked_pixels"] == "1"
    assert first.full_scale == 65535


# How they were taken


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


# Never beyond the file itself


def a_fifo(folder: Path) -> str:
    """Whoever opens it to read waits for ever."""
    path = folder / "elsewhere.h5"
    os.mkfifo(path)
    return str(path)


def external_link(file: Any, target: str) -> None:
    nexus(file)
    del file["entry/data/frames"]
    file["entry/data/frames"] = h5py.ExternalLink(target, "/secret")
    del file["entry/larger"]


def soft_link_through_an_external_one(file: Any, target: str) -> None:
    external_link(file, target)
    file["out"] = h5py.ExternalLink(target, "/")
    del file["entry/data/frames"]
    file["entry/data/frames"] = h5py.SoftLink("/out/secret")


def virtual_dataset(file: Any, target: str) -> None:
    layout = h5py.VirtualLayout(STACK.shape, "u2")
    layout[:] = h5py.VirtualSource(target, "secret", STACK.shape)
    file.create_virtual_dataset("d", layout)


def virtual_dataset_without_end(file: Any, target: str) -> None:
    """Its length is that of its sources: to ask for it is to open them."""
    how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    space = h5py.h5s.create_simple((0, 40, 48), (h5py.h5s.UNLIMITED, 40, 48))
    source = h5py.h5s.create_simple((0, 40, 48), (h5py.h5s.UNLIMITED, 40, 48))
    for one in (space, source):
        one.select_hyperslab((0, 0, 0), (h5py.h5s.UNLIMITED, 1, 1), (1, 40, 48), (1, 40, 48))
    how.set_virtual(space, target.encode(), b"secret", source)
    h5py.h5d.create(file.id, b"d", h5py.h5t.NATIVE_UINT16, space, how)


def external_storage(file: Any, target: str) -> None:
    file.create_dataset("d", STACK.shape, "u2", external=[(target, 0, STACK.nbytes)])


@pytest.mark.parametrize(
    "build", [external_link, soft_link_through_an_external_one, virtual_dataset, virtual_dataset_without_end, external_storage]
)
def test_images_in_other_files_are_refused_and_those_files_never_opened(tmp_path: Path, build: Callable[[Any, str], None]) -> None:
    target = str(tmp_path / "elsewhere.h5")
    path = write(tmp_path / "a.h5", lambda file: build(file, target))
    a_fifo(tmp_path)
    refused = refusal(path)
    assert refused.cause == "unsupported"
    assert "elsewhere.h5" in refused.reason
    assert "include those files" in refused.remedy


def test_a_file_with_links_elsewhere_beside_its_own_images_is_read(tmp_path: Path) -> None:
    def build(file: Any) -> None:
        nexus(file)
        file["entry/data/mask"] = h5py.ExternalLink(str(tmp_path / "elsewhere.h5"), "/mask")
        virtual_dataset(file, str(tmp_path / "elsewhere.h5"))

    path = write(tmp_path / "a.h5", build)
    a_fifo(tmp_path)
    assert holds(path, STACK)


def test_links_that_lead_in_circles_end(tmp_path: Path) -> None:
    def build(file: Any) -> None:
        nexus(file)
        file["entry/again"] = file["entry"]
        file["a"], file["b"] = h5py.SoftLink("/b"), h5py.SoftLink("/a")
        file["self"] = h5py.SoftLink("/self/self")

    assert holds(write(tmp_path / "a.h5", build), STACK)


def test_more_objects_than_a_walk_takes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MOST_OBJECTS", 50)
    path = write(tmp_path / "a.h5", lambda file: [file.create_group(f"g{n}") for n in range(60)])
    assert "more than 50 objects" in refusal(path).reason


# What it may cost


def laid_out(shape: tuple[int, ...], chunks: tuple[int, ...], written: int) -> Callable[[Any], object]:
    def build(file: Any) -> None:
        data = file.create_dataset("d", shape, "u2", chunks=chunks)
        data[:written] = STACK[:written]

    return build


def test_a_stack_laid_out_before_it_is_taken_holds_the_images_that_were_written(tmp_path: Path) -> None:
    assert holds(write(tmp_path / "a.h5", laid_out((5000, 40, 48), (1, 40, 48), 6)), STACK)
    assert "holds no frame" in refusal(write(tmp_path / "b.h5", laid_out((5000, 40, 48), (1, 40, 48), 0))).reason


@pytest.mark.parametrize(
    ("shape", "chunks", "limits", "said"),
    [
        ((6, 40, 48), (1, 40, 48), DecodeLimits(frame_pixels=1000), "48 x 40 pixels"),
        ((6, 40, 48), (6, 40, 48), DecodeLimits(decoded_bytes=10_000), "a chunk of /d"),
        ((6, 40, 48), (1, 40, 48), DecodeLimits(stack_frames=5), "6 images, 5 are allowed"),
    ],
)
def test_what_is_too_large_is_refused_by_its_header(
    tmp_path: Path, shape: tuple[int, ...], chunks: tuple[int, ...], limits: DecodeLimits, said: str
) -> None:
    refused = refusal(write(tmp_path / "a.h5", laid_out(shape, chunks, 6)), limits)
    assert refused.cause == "too_large"
    assert said in refused.reason


def test_a_small_file_cannot_promise_millions_of_images(tmp_path: Path) -> None:
    def build(file: Any) -> None:
        data = file.create_dataset("d", (3_000_000, 40, 48), "u2", chunks=(1, 40, 48))
        data[2_999_999] = STACK[0]

    assert "cannot hold" in refusal(write(tmp_path / "a.h5", build)).reason


# Portions


def test_portions_go_on_where_the_one_before_ended_and_a_bad_image_costs_only_itself(tmp_path: Path) -> None:
    images = STACK.astype(np.float32)
    images[2, 5, 5] = np.nan
    path = write(tmp_path / "a.h5", lambda file: file.create_dataset("d", data=images, chunks=(1, 40, 48)))
    limits = DecodeLimits(portion_frames=4)
    first = decode_portion(str(path), "a.h5", limits)
    assert [one.frame_index for one in first.frames] == [0, 1, 3]
    assert [(one.frame_index, one.cause) for one in first.refused] == [(2, "not_finite")]
    assert first.next_first == 4
    second = decode_portion(str(path), "a.h5", limits, first=4)
    assert [(one.frame_index, one.frame_count) for one in second.frames] == [(4, 6), (5, 6)]
    assert second.next_first is None
    assert (
        second.frames[0].content_hash == frames(write(tmp_path / "b.h5", lambda f: f.create_dataset("d", data=images[4])))[0].content_hash
    )


def test_an_image_whose_bytes_are_damaged_costs_only_itself(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", lambda file: file.create_dataset("d", data=STACK, chunks=(1, 40, 48), compression="gzip"))
    with h5py.File(path) as file:
        chunk = file["d"].id.get_chunk_info(3)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + 200] = os.urandom(200)
    path.write_bytes(content)
    portion = decode_portion(str(path), "a.h5")
    assert [one.frame_index for one in portion.frames] == [0, 1, 2, 4, 5]
    assert [(one.frame_index, one.cause) for one in portion.refused] == [(3, "decoder_failed")]


# Whether it is complete


@pytest.mark.parametrize("how", [{}, {"libver": "latest"}, {"libver": ("v108", "v108")}, {"userblock_size": 512}])
def test_a_file_is_complete_when_it_is_as_long_as_its_superblock_says(tmp_path: Path, how: Any) -> None:
    path = write(tmp_path / "a.h5", nexus, **how)
    assert completeness(path) == "complete"
    assert holds(path, STACK)
    path.write_bytes(path.read_bytes()[:-1])
    assert completeness(path) == "growing"


def test_a_file_that_is_open_to_write_is_growing_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="latest", locking=False) as file:
        nexus(file)
        file.flush()
        assert completeness(path) == "growing"
    assert completeness(path) == "complete"


async def test_reading_leaves_the_file_as_it_is_and_its_writer_undisturbed(tmp_path: Path) -> None:
    path, pool = tmp_path / "a.h5", DecoderPool()
    with h5py.File(path, "w", libver="latest", locking=True) as file:
        data = file.create_dataset("d", (0, 40, 48), "u2", maxshape=(None, 40, 48), chunks=(1, 40, 48))
        file.swmr_mode = True
        assert completeness(path) == "following"
        assert await pool.read(str(path), "a.h5") == Portion((), growing=True)
        for count in range(1, 5):
            data.resize(count, 0)
            data[count - 1] = STACK[count - 1]
            data.flush()
            before = path.read_bytes()
            portion = await pool.read(str(path), "a.h5", max(0, count - 2))
            assert [one.frame_index for one in portion.frames] == list(range(max(0, count - 2), count))
            np.testing.assert_array_equal(portion.frames[-1].pixels, STACK[count - 1])
            assert portion.growing
            assert path.read_bytes() == before
        data.resize(5, 0)  # an image that is announced and not there yet
        data.flush()
        assert len((await pool.read(str(path), "a.h5", 3)).contents) == 1
    await pool.close()
    assert completeness(path) == "complete"
    assert holds(path, STACK[:4])


@pytest.mark.parametrize("lead", [1, 2])
def test_an_image_of_which_some_chunks_are_not_there_yet_is_waited_for(tmp_path: Path, lead: int) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="latest", locking=False) as file:
        data = file.create_dataset("d", (6, 40, 48), "u2", maxshape=(None, 40, 48), chunks=(lead, 20, 24))
        file.swmr_mode = True
        data[:2] = STACK[:2]
        data[2:4, :20] = STACK[2:4, :20]
        data.flush()
        assert [frame.frame_index for frame in decode_portion(str(path), "a.h5").frames] == [0, 1]
        data[2:4] = STACK[2:4]
        data.flush()
        portion = decode_portion(str(path), "a.h5", first=1)
        np.testing.assert_array_equal([frame.pixels for frame in portion.frames], STACK[1:4])


def test_a_flat_field_is_not_taken_for_the_images_to_come(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="latest", locking=False) as file:
        file["flat"] = np.stack([STACK[0]] * 3)
        for name, shape in (("images", (40, 48)), ("previews", (32, 32))):
            file.create_dataset(name, (0, *shape), "u2", maxshape=(None, *shape), chunks=(1, *shape))
        file.swmr_mode = True
        assert decode_portion(str(path), "a.h5") == Portion((), growing=True)
        file["images"].resize(1, 0)
        file["images"][0] = STACK[1]
        file["images"].flush()
        (frame,) = decode_portion(str(path), "a.h5").frames
        np.testing.assert_array_equal(frame.pixels, STACK[1])


@pytest.mark.parametrize("version", [0, 1, 2, 3, 4, 255])
@pytest.mark.parametrize("length", [8, 9, 30, 200, 2000])
def test_any_superblock_is_looked_at_without_harm(tmp_path: Path, version: int, length: int) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes((b"\x89HDF\r\n\x1a\n" + struct.pack("<4B", version, 255, 255, 255) + b"\xff" * 3000)[:length])
    assert completeness(path) in {"growing", "following"}
    assert refusal(path).cause in {"truncated", "decoder_failed"}


# Files that instruments wrote


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
