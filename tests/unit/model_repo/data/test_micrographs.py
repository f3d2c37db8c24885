"""Source images are read strictly: the first that cannot be used is named."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from edge_agent.core.errors import EdgeAgentError
from model_repo.data import CropSampler, Micrograph, SplitEntry
from model_repo.data.micrographs import read_grey


def save(path, array):
    Image.fromarray(array).save(path)


def test_a_colour_file_that_codes_grey_is_read_as_grey(tmp_path):
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    save(tmp_path / "a.png", np.stack([grey] * 3, axis=2))
    assert (read_grey(tmp_path / "a.png", "a.png") == grey).all()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda p: None, "is not in"),
        (lambda p: p.write_bytes(b""), "cannot be read as an image"),
        (lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\nrubbish"), "cannot be read as an image"),
        (lambda p: save(p, np.tile(np.array([0, 90, 200], np.uint8), (8, 8, 1))), "is a colour image"),
        (lambda p: save(p, np.zeros((8, 8), np.uint16)), "is not 8-bit grey"),
    ],
    ids=["absent", "empty", "damaged", "colour", "16 bit"],
)
def test_an_unusable_image_is_named_with_its_reason(tmp_path, make, reason):
    make(tmp_path / "x.png")
    with pytest.raises(EdgeAgentError, match=f"lot/x.png: {reason}"):
        read_grey(tmp_path / "x.png", "lot/x.png")


def micrograph(pixels, lot="a", group="g"):
    return Micrograph(SplitEntry(path="p", lot=lot, sample=group, group=group, side="train"), pixels)


def sampler(micrographs, lots=("a",), **changes):
    return CropSampler(micrographs, lots, **{"field_px": 32, "input_px": 8, "scale": 0.0, "filament": 0.0} | changes)


def test_a_crop_at_scale_one_is_the_area_average():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32)).astype(np.uint8)
    fields, _ = sampler([micrograph(pixels)]).draw(1, np.random.default_rng(1), flip=False)
    expected = pixels.reshape(8, 4, 8, 4).mean(axis=(1, 3)) / 255
    np.testing.assert_allclose(fields[0, 0], expected, atol=1e-6)


def test_crops_depend_on_the_generator_alone_and_stay_in_range():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 80)).astype(np.uint8)
    crops = sampler([micrograph(pixels)], scale=0.3, filament=2.0)
    first, second = (crops.draw(20, np.random.default_rng((1, 2)))[0] for _ in range(2))
    assert (first == second).all()
    assert first.min() >= 0
    assert first.max() <= 1


def test_a_group_of_many_images_counts_no_more_than_one_of_a_single_image():
    dark, bright = np.zeros((32, 32), np.uint8), np.full((32, 32), 255, np.uint8)
    crops = sampler([*[micrograph(dark, group="many")] * 9, micrograph(bright, group="one")])
    fields, _ = crops.draw(400, np.random.default_rng(0))
    assert 0.4 < fields.mean() < 0.6


def test_a_lot_without_training_images_is_refused():
    with pytest.raises(EdgeAgentError, match="lot b: has no training image"):
        sampler([micrograph(np.zeros((32, 32), np.uint8))], lots=("a", "b"))
