"""A Triton repository is written whole or not at all, and its three targets differ in their engine only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from edge_agent.core.errors import ConfigurationError, ModelError
from edge_agent.inference import load_manifest, sha256_of
from model_repo.serving.layout import layout
from tests.served_model import edit_manifest, write_tiny_model

if TYPE_CHECKING:
    from pathlib import Path

TARGETS = ("python", "onnxruntime", "tensorrt_plan")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "tiny")


def add_plan(folder: Path, **changes: Any) -> None:
    (folder / "1" / "model.plan").write_bytes(b"a plan")
    plan = {
        "file": "1/model.plan",
        "sha256": sha256_of(folder / "1" / "model.plan"),
        "onnx_sha256": load_manifest(folder).onnx.sha256,
        "precision": "fp16",
        "tensorrt_version": "11.0",
        "gpu": 'NVIDIA "X"',
        "compute_capability": "9.0",
        "max_batch": 48,
        "largest_difference": 0.001,
    }
    edit_manifest(folder, plan=plan | changes)


def parsed(made: Path) -> Any:
    return text_format.Parse((made / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())


def test_names_and_shapes_are_equal_in_all_three_targets(folder: Path, tmp_path: Path) -> None:
    add_plan(folder)
    configs = {target: parsed(layout(folder, tmp_path / target, target)) for target in TARGETS}
    engines = {target: (config.backend, config.platform) for target, config in configs.items()}
    assert engines == {"python": ("python", ""), "onnxruntime": ("onnxruntime", ""), "tensorrt_plan": ("", "tensorrt_plan")}
    assert len({(c.name, str(c.input), str(c.output), str(c.version_policy)) for c in configs.values()}) == 1
    config = configs["python"]
    assert [(t.name, tuple(t.dims), t.data_type) for t in config.input] == [("fields", (1, 64, 64), model_config_pb2.TYPE_FP32)]
    assert [(t.name, tuple(t.dims)) for t in config.output] == [("probabilities", (2, 3)), ("distances", (2,))]
    for config in configs.values():
        assert config.parameters["onnx_sha256"].string_value == load_manifest(folder).onnx.sha256
        assert config.HasField("dynamic_batching")
        assert config.max_batch_size >= 48
        assert config.model_warmup[0].inputs["fields"].zero_data
    assert configs["tensorrt_plan"].parameters["precision"].string_value == "fp16"
    assert configs["tensorrt_plan"].parameters["gpu"].string_value == 'NVIDIA "X"'


@pytest.mark.parametrize("target", TARGETS)
def test_a_local_map_is_an_output_like_the_others(tmp_path: Path, target: Any) -> None:
    folder = write_tiny_model(tmp_path / "tiny", with_map=True)
    add_plan(folder)
    config = parsed(layout(folder, tmp_path / "out", target))
    assert [(t.name, tuple(t.dims)) for t in config.output] == [("probabilities", (2, 3)), ("distances", (2,)), ("local_map", (8, 8))]


@pytest.mark.parametrize(
    ("target", "files"),
    [
        ("python", {"config.pbtxt", "manifest.json", "1/model.onnx", "1/model.py"}),
        ("onnxruntime", {"config.pbtxt", "manifest.json", "1/model.onnx"}),
        ("tensorrt_plan", {"config.pbtxt", "manifest.json", "1/model.plan"}),
    ],
)
def test_each_target_holds_what_its_engine_reads(folder: Path, tmp_path: Path, target: Any, files: set[str]) -> None:
    add_plan(folder)
    made = layout(folder, tmp_path / "out", target)
    assert made == tmp_path / "out" / "tiny"
    assert {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()} == files


def test_instances_and_threads_reach_the_configuration(folder: Path, tmp_path: Path) -> None:
    config = parsed(layout(folder, tmp_path / "out", "onnxruntime", instances=3, threads=2))
    assert config.instance_group[0].count == 3
    assert config.parameters["intra_op_thread_count"].string_value == "2"


def test_a_second_layout_replaces_the_first_as_a_whole(folder: Path, tmp_path: Path) -> None:
    made = layout(folder, tmp_path / "out", "python")
    (made / "1" / "left-over").write_text("x")
    layout(folder, tmp_path / "out", "onnxruntime")
    assert {path.name for path in (made / "1").iterdir()} == {"model.onnx"}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["tiny"]


def test_a_failed_layout_leaves_the_earlier_one_untouched(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = layout(folder, tmp_path / "out", "python")
    before = (made / "config.pbtxt").read_bytes()

    def full(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("model_repo.serving.layout.config_text", full)
    with pytest.raises(OSError, match="No space"):
        layout(folder, tmp_path / "out", "onnxruntime")
    assert (made / "config.pbtxt").read_bytes() == before
    assert (made / "1" / "model.py").exists()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["tiny"]


def test_an_unknown_target_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="use one of python, onnxruntime, tensorrt_plan"):
        layout(folder, tmp_path / "out", "openvino")  # type: ignore[arg-type]  # the point of the test


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (None, "has no TensorRT plan"),
        ({"onnx_sha256": "0" * 64}, "its plan was built from"),
        ({"sha256": "0" * 64}, "its manifest expects"),
        ({"file": "1/gone.plan"}, "cannot be read"),
    ],
)
def test_a_plan_that_is_absent_or_of_another_graph_is_refused(
    folder: Path, tmp_path: Path, change: dict[str, str] | None, said: str
) -> None:
    if change is not None:
        add_plan(folder, **change)
    with pytest.raises(ModelError, match=said) as caught:
        layout(folder, tmp_path / "out", "tensorrt_plan")
    assert "model-repo compile" in caught.value.remedy
    assert not (tmp_path / "out").exists()


def test_a_graph_that_does_not_match_its_manifest_is_never_laid_out(folder: Path, tmp_path: Path) -> None:
    (folder / "1" / "model.onnx").write_bytes(b"x")
    with pytest.raises(ModelError, match="its manifest expects"):
        layout(folder, tmp_path / "out", "python")


def test_the_calibration_travels_with_the_model(folder: Path, tmp_path: Path) -> None:
    (folder / "calibration.json").write_text("{}")
    edit_manifest(folder, calibration={"file": "calibration.json", "sha256": sha256_of(folder / "calibration.json")})
    made = layout(folder, tmp_path / "out", "onnxruntime")
    assert json.loads((made / "calibration.json").read_text()) == {}
