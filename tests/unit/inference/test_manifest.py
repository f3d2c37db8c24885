"""A manifest is believed only as far as the bytes beside it agree."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from edge_agent.core.errors import ModelError
from edge_agent.inference import find_model, load_manifest, make_predictor, shipped_models, verify
from edge_agent.inference.manifest import Manifest
from tests.served_model import edit_manifest, write_manifest, write_tiny_model

if TYPE_CHECKING:
    from pathlib import Path


OUTPUTS = {"probabilities": {"name": "probabilities", "shape": [-1, 2, 3]}, "distances": {"name": "distances", "shape": [-1, 2]}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "tiny")


def test_a_whole_folder_verifies_and_its_identity_is_the_graphs_digest(folder: Path) -> None:
    manifest = load_manifest(folder)
    verify(folder, manifest)
    assert manifest.identity.digest == manifest.onnx.sha256
    assert (manifest.identity.name, manifest.identity.version) == ("tiny", "1")


def test_another_graph_is_refused_with_both_digests_and_the_way_out(folder: Path) -> None:
    manifest = load_manifest(folder)
    with (folder / "1" / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelError) as caught:
        verify(folder, manifest)
    assert manifest.onnx.sha256 in str(caught.value)
    assert "has SHA-256" in caught.value.reason
    assert "copy the whole model folder again" in caught.value.remedy
    assert caught.value.exit_code == 78


def test_a_missing_calibration_is_named(folder: Path) -> None:
    edit_manifest(folder, calibration={"file": "calibration.json", "sha256": "0" * 64})
    with pytest.raises(ModelError, match=r"calibration\.json"):
        verify(folder, load_manifest(folder))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lots": ["a"]}, "lots"),
        ({"members": 7}, "ask for"),
        ({"surprise": 1}, "surprise"),
        ({"schema_version": 2}, "schema_version"),
        ({"version": "one"}, "version"),
        ({"onnx": {"file": "../model.onnx", "sha256": "0" * 64}}, "inside the model's folder"),
        ({"onnx": {"file": "C:/model.onnx", "sha256": "0" * 64}}, "inside the model's folder"),
        ({"onnx": {"file": "1/model.onnx", "sha256": "short"}}, "onnx.sha256"),
        ({"lots": ["a", "a", "b"]}, "named twice"),
        ({"canary": {"probabilities": [[[0.5, 0.5]]]}}, "canary"),
        ({"method": "bagging"}, "method"),
        ({"distance_kind": "cosine"}, "distance_kind"),
        ({"outputs": {**OUTPUTS, "local_map": {"name": "map", "shape": [-1, 8]}}}, "a map has [-1, rows, columns]"),
        ({"outputs": {**OUTPUTS, "local_map": {"name": "map", "shape": [-1, 0, 8]}}}, "a map has [-1, rows, columns]"),
        ({"outputs": {**OUTPUTS, "local_map": {"name": "distances", "shape": [-1, 8, 8]}}}, "two outputs have one name"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_one_clear_line(folder: Path, change: dict[str, Any], said: str) -> None:
    edit_manifest(folder, **change)
    with pytest.raises(ModelError) as caught:
        load_manifest(folder)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_manifest_or_with_rubbish_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(ModelError, match="Invalid JSON"):
        load_manifest(tmp_path)


def test_models_are_found_in_the_dirs_first_and_then_among_the_shipped(tmp_path: Path) -> None:
    mine, shipped = tmp_path / "mine", tmp_path / "shipped"
    for root, name in ((mine, "sem-real"), (shipped, "sem-real"), (shipped, "sem-virtual")):
        (root / name).mkdir(parents=True)
        write_manifest(root / name, {})
    assert find_model("sem-real", [mine], shipped) == mine / "sem-real"
    assert find_model("sem-virtual", [mine], shipped) == shipped / "sem-virtual"
    with pytest.raises(ModelError, match=r"did you mean sem-real\? known: sem-real, sem-virtual"):
        find_model("sem-reel", [mine], shipped)


def test_the_shipped_models_are_located_without_importing_model_repo() -> None:
    before = "model_repo" in sys.modules
    assert shipped_models() is not None
    assert ("model_repo" in sys.modules) == before


def test_a_configured_version_other_than_the_manifests_is_refused(folder: Path) -> None:
    assert make_predictor("embedded", folder, version="1").model.version == "1"
    with pytest.raises(ModelError, match="is version 1, the configuration asks for 2"):
        make_predictor("embedded", folder, version="2")


@pytest.mark.parametrize(
    ("training", "name"),
    [
        ({"members": [{"seed": 5}, {"seed": 6}]}, "member 2 (seed 6)"),
        ({"members": [{"seed": 5}]}, "member 2"),
        ({"members": [{}, {}]}, "member 2"),
        ({"members": 2}, "member 2"),
        ({}, "member 2"),
    ],
)
def test_a_member_is_called_by_its_number_and_its_seed_where_each_has_one(folder: Path, training: dict[str, Any], name: str) -> None:
    edit_manifest(folder, training=training)
    assert load_manifest(folder).member_name(1) == name


def test_a_manifest_of_the_first_release_is_read_as_before(folder: Path) -> None:
    manifest = load_manifest(folder)
    assert (manifest.method, manifest.distance_kind, manifest.outputs.local_map) == ("deep_ensemble", "mahalanobis", None)


def test_the_manifest_survives_its_own_json(folder: Path) -> None:
    manifest = load_manifest(folder)
    (folder / "manifest.json").write_text(json.dumps(json.loads(manifest.model_dump_json())))
    assert load_manifest(folder) == manifest


@pytest.mark.parametrize("name", ["/etc/passwd", "../other/model.onnx", "a/../../model.onnx", "C:/model.onnx", "..\\\\model.onnx", ""])
@pytest.mark.parametrize("part", ["onnx", "calibration"])
def test_no_file_outside_the_folder_is_named(models: Path, part: str, name: str) -> None:
    told = json.loads((models / "tiny" / "manifest.json").read_text())
    told[part] = {"file": name, "sha256": "0" * 64}
    with pytest.raises(ValidationError, match=part):
        Manifest.model_validate(told)


@pytest.mark.parametrize("part", ["onnx", "calibration"])
def test_a_link_out_of_the_folder_is_not_followed(models: Path, tmp_path: Path, part: str) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(models / "tiny", folder)
    manifest = load_manifest(folder)
    file = getattr(manifest, part).file
    (folder / file).replace(tmp_path / "real")
    (folder / file).symlink_to(tmp_path / "real")
    with pytest.raises(ModelError, match="leads out of the model's folder"):
        verify(folder, manifest)
    (tmp_path / "real").replace(folder / "real")
    (folder / file).unlink()
    (folder / file).symlink_to(folder / "real")
    verify(folder, manifest)
