"""HDF5: which datasets are the images, what they may cost, and in which portions they come."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import h5py
import hdf5plugin
import numpy as np
import pytest

from edge_agent.frames import DecodeLimits, decode_portion
from tests.hdf5_files import STACK, frames, holds, nexus, refusal, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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
