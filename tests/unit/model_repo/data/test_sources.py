"""Where fields come from: what a source promises, and what it refuses."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from edge_agent.core.errors import ConfigurationError, EdgeAgentError
from edge_agent.inference import Preprocessing, tile
from edge_agent.simulate import VirtualMicroscope
from model_repo.data.opening import open_source
from model_repo.method_kind import MethodKind
from model_repo.recipe import Distance, Method, MicrographData, Network, Recipe, Training, VirtualData

SMALL = {
    "lots": 2,
    "train_samples": 2,
    "calibration_samples": 6,
    "test_samples": 1,
    "fields_a_sample": 4,
    "frames_a_sample": 1,
    "altered_samples": 1,
    "unseen_samples": 1,
}


def virtual_recipe(**changes) -> Recipe:
    return Recipe(
        name="tiny-virtual",
        version="1",
        licence="none",
        data=VirtualData(source="virtual", **SMALL | changes),
        network=Network(depth=10, width=1),
        preprocessing=Preprocessing(field_px=128, input_px=64, max_fields=4),
        training=Training(seeds=(1, 2), steps=2, batch=4, check_every=1),
        distance=Distance(crops=32, shrinkage=0.3, seed=1),
    )


@pytest.fixture(scope="module")
def virtual(tmp_path_factory):
    return open_source(virtual_recipe(), tmp_path_factory.mktemp("fields"))


def test_virtual_training_fields_are_what_the_agent_would_make_of_the_same_frames(virtual):
    fields, labels = virtual.fitting(64, np.random.default_rng(0))
    assert set(labels.tolist()) == {0, 1}
    view = next(iter(VirtualMicroscope(2021).frames(virtual.lots[0], 0, 1)))
    tiled, _ = tile(view.pixels, 255.0, Preprocessing(field_px=128, input_px=64, max_fields=4))
    distances = np.abs(fields[labels == 0][:, None] - tiled[None]).max(axis=(2, 3, 4))
    assert (distances.min(axis=0) < 1e-6).all()  # each of the frame's four fields was drawn, bit for bit but for rounding


def test_virtual_samples_never_stand_on_two_sides(virtual):
    sides = {side: {probe.group for probe in virtual.frames(side)} for side in ("train", "calibration", "test")}
    assert not sides["train"] & sides["calibration"]
    assert not (sides["train"] | sides["calibration"]) & sides["test"]
    assert {len(found) for found in sides.values()} == {4, 12, 2}


def test_virtual_fields_are_rendered_once_and_found_again(virtual, tmp_path, monkeypatch):
    recipe = virtual_recipe()
    first = open_source(recipe, tmp_path).fitting(8, np.random.default_rng(3))
    monkeypatch.setattr("model_repo.data.virtual_source._render", lambda _order: pytest.fail("rendered again"))
    again = open_source(recipe, tmp_path).fitting(8, np.random.default_rng(3))
    assert np.array_equal(first[0], again[0])


def test_a_share_of_the_training_samples_is_the_first_samples(tmp_path):
    recipe = virtual_recipe()
    half = recipe.model_copy(update={"training": recipe.training.model_copy(update={"fraction": 0.5})})
    assert open_source(half, tmp_path).counts()["lot-00"]["train"] == {"images": 4, "groups": 1}
    assert open_source(recipe, tmp_path).counts()["lot-00"]["train"] == {"images": 8, "groups": 2}


def test_shifted_kinds_of_the_virtual_microscope_are_told_with_their_origin(virtual):
    found = {kind.name: kind for kind in virtual.kinds((), 0)}
    assert {"filament mild (0.5)", "filament strong (2)", "unseen unseen-0", "unrelated pictures", "unrelated photographs"} <= set(found)
    assert {probe.lot for probe in found["unseen unseen-0"].probes} == {""}
    assert {probe.lot for probe in found["filament strong (2)"].probes} == set(virtual.lots)
    assert found["unrelated photographs"].origin == "real"


def test_preprocessing_that_is_not_the_microscopes_is_refused():
    recipe = virtual_recipe().model_copy(update={"preprocessing": Preprocessing(field_px=256, input_px=64)})
    with pytest.raises(ConfigurationError, match="field_px = 128"):
        open_source(recipe, None)


def test_a_lot_with_too_few_calibration_samples_is_refused():
    with pytest.raises(ValueError, match="calibration_samples"):
        virtual_recipe(calibration_samples=5)


@pytest.mark.parametrize(
    ("one", "other"),
    [("hills/train0", "hills/calibration1"), ("hills/train0", "hills/test1"), ("hills/test0", "strange/unseen1")],
)
def test_the_same_picture_on_two_sides_is_refused_whatever_its_name(lots_folder, tiny_recipe, tmp_path, one, other):
    folder = shutil.copytree(lots_folder, tmp_path / "lots")
    shutil.copyfile(folder / f"{one}.png", folder / f"{other}.png")
    with pytest.raises(EdgeAgentError, match=rf"{other}\.png: shows the same picture as {one}\.png"):
        open_source(tiny_recipe, folder).held_out()


def test_real_images_need_a_folder(tiny_recipe):
    with pytest.raises(EdgeAgentError, match="--data DIR"):
        open_source(tiny_recipe, None)


@pytest.mark.parametrize(
    ("kind", "seeds", "reason"),
    [(MethodKind.DEEP_ENSEMBLE, (1,), "two seeds or more"), (MethodKind.LLPR, (1, 2), "a method of one network")],
)
def test_a_method_that_the_networks_cannot_have_is_refused(tmp_path, kind, seeds, reason):
    with pytest.raises(ValueError, match=reason):
        Recipe(
            name="x",
            version="1",
            licence="none",
            data=MicrographData(split="split.json"),
            method=Method(kind=kind),
            training=Training(seeds=seeds, steps=1, batch=2, check_every=1),
            distance=Distance(crops=8, shrinkage=0.1, seed=1),
        )


def test_counts_are_plain_numbers_for_the_manifest(virtual):
    json.dumps([virtual.counts(), virtual.describe()])
