"""A stream may be judged by a calibration of its own, which must belong to its model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from edge_agent.agent.compose import ServedModel, find_served_model
from edge_agent.config import load_settings
from edge_agent.core.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path


def served(folder: Path, models: Path, own: str) -> ServedModel:
    path = folder / "edge-agent.toml"
    path.write_text(
        f"[agent]\nmodel_dirs = ['{models.as_posix()}']\n[[stream]]\nname = 'sem'\npath = 'images'\n"
        f"[stream.model]\nname = 'tiny'\ncalibration = '{own}'\n"
    )
    settings = load_settings(path, {})
    return find_served_model(settings, settings.stream[0])


@pytest.fixture
def shipped(models: Path) -> dict:
    return json.loads((models / "tiny" / "calibration.json").read_text())


def test_it_stands_beside_the_configuration_and_is_used_instead_of_the_models(tmp_path: Path, models: Path, shipped: dict) -> None:
    shipped["source"] = "our own microscope"
    (tmp_path / "own.json").write_text(json.dumps(shipped))
    model = served(tmp_path, models, "own.json")
    assert model.calibration is not None
    assert model.calibration.source == "our own microscope"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_digest": "ab" * 32}, rf"own.json: was made for the graph with SHA-256 {'ab' * 32}, but model tiny is [0-9a-f]{{64}}; run"),
        ({"members": 7}, r"own.json: was made with 7 members, model tiny has 2; run `edge-agent calibrate --stream sem`"),
        ({"lots": {}}, "own.json: lots"),
        (None, "own.json: cannot be read"),
    ],
)
def test_one_of_another_model_is_refused(tmp_path: Path, models: Path, shipped: dict, change: dict | None, said: str) -> None:
    if change is not None:
        (tmp_path / "own.json").write_text(json.dumps(shipped | change))
    with pytest.raises(ModelError, match=said):
        served(tmp_path, models, "own.json")
