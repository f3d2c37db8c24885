"""A tiny data set of two lots and an unseen one, its split, and a recipe that trains in seconds."""

from __future__ import annotations

import importlib.util
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from edge_agent.inference import Preprocessing
from model_repo.data.opening import open_source
from model_repo.recipe import Distance, MicrographData, Network, Recipe, Training
from tests.conftest import absent

if TYPE_CHECKING:
    from pathlib import Path

    from model_repo.data.source import Source

SIDES = ("train", "calibration", "test")


def stripes(rng: np.random.Generator) -> np.ndarray:
    x = np.tile(np.arange(96), (96, 1))
    return 128 + 60 * np.sin(x * rng.uniform(1.2, 1.4)) + rng.normal(0, 5, (96, 96))


def hills(rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[0:96, 0:96]
    return 90 + 50 * np.sin(x * rng.uniform(0.1, 0.2)) * np.cos(y * 0.15) + rng.normal(0, 5, (96, 96))


@pytest.fixture(scope="session")
def lots_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lots")
    rng = np.random.default_rng(7)
    entries = []
    for lot, make in (("hills", hills), ("stripes", stripes), ("strange", lambda r: r.uniform(0, 255, (96, 96)))):
        (folder / lot).mkdir()
        for side in ("unseen",) if lot == "strange" else SIDES:
            for k in range(2):
                name = f"{lot}/{side}{k}.png"
                Image.fromarray(make(rng).clip(0, 255).astype(np.uint8)).save(folder / name)
                entries.append({"path": name, "lot": lot, "sample": f"{side}{k}", "group": f"{side}{k}", "side": side})
    (folder / "split.json").write_text(json.dumps({"name": "tiny", "rule": "by source", "images": entries}))
    return folder


@pytest.fixture
def source(tiny_recipe: Recipe, lots_folder: Path) -> Source:
    return open_source(tiny_recipe, lots_folder)


@pytest.fixture
def tiny_recipe(lots_folder: Path) -> Recipe:
    return Recipe(
        name="tiny",
        version="1",
        data=MicrographData(split="split.json"),
        folder=lots_folder,
        licence="none",
        network=Network(depth=10, width=1),
        preprocessing=Preprocessing(field_px=48, input_px=16, max_fields=4),
        training=Training(seeds=(1, 2), steps=3, batch=8, check_every=1, scale=0.1, filament=0.5),
        distance=Distance(crops=64, shrinkage=0.2, seed=3),
    )


@pytest.fixture
def torch_installed() -> None:
    if importlib.util.find_spec("torch") is None:
        absent("torch", "the extra `train` is not installed")
    import torch

    torch.set_num_threads(1)
