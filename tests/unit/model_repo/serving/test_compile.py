"""A plan is kept only if every member still answers like the ONNX; without a GPU that is shown with a perturbed graph."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_agent.core.errors import ConfigurationError, ModelError
from edge_agent.inference import load_manifest, sha256_of, shipped_models
from model_repo.serving import compile as compile_step
from model_repo.serving.agreement import Agreement, compare, refuse_difference
from model_repo.serving.engine import build_engine, check_with_tensorrt_rtx
from model_repo.serving.half import half_precision
from tests.conftest import absent
from tests.served_model import edit_manifest, write_tiny_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_repo.serving.agreement import Answers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "tiny", members=3)


def answers_of(graph: bytes, fields: Any) -> Answers:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    probabilities, distances = session.run(["probabilities", "distances"], {"fields": fields})
    return probabilities, distances


def perturbed(folder: Path, tensor: str, change: Callable[[Any], Any]) -> bytes:
    """The graph with one of its weights changed, as a wrong kernel or a coarse type would change it."""
    model = onnx.load(folder / "1" / "model.onnx")
    for weight in model.graph.initializer:
        if weight.name == tensor:
            weight.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(weight).copy()).astype(np.float32), tensor))
    return model.SerializeToString()


def spoil_member_1(classes: Any) -> Any:
    classes[:, 3:6] *= 1.5
    return classes


def test_the_same_graph_agrees_exactly_and_is_accepted(folder: Path) -> None:
    fields = compile_step.reference_fields(8, 64)
    reference = compile_step.run_onnx(folder, load_manifest(folder), fields)
    agreement = compare(reference, answers_of((folder / "1" / "model.onnx").read_bytes(), fields))
    assert agreement.probability == pytest.approx(0, abs=1e-6)
    refuse_difference(agreement, "fp32")


def test_a_plan_with_one_changed_member_is_refused_and_the_member_named(folder: Path) -> None:
    fields = compile_step.reference_fields(8, 64)
    reference = compile_step.run_onnx(folder, load_manifest(folder), fields)
    agreement = compare(reference, answers_of(perturbed(folder, "classes", spoil_member_1), fields))
    with pytest.raises(ModelError, match=r"member 1 differs from the ONNX by .* in probability"):
        refuse_difference(agreement, "fp32")


def test_wrong_distances_are_refused_though_probabilities_agree(folder: Path) -> None:
    fields = compile_step.reference_fields(8, 64)
    reference = compile_step.run_onnx(folder, load_manifest(folder), fields)
    agreement = compare(reference, answers_of(perturbed(folder, "features", lambda f: f * [1, 1, 1.2]), fields))
    assert agreement.probability < 1e-6
    with pytest.raises(ModelError, match=r"member 2 differs from the ONNX by .* in log distance"):
        refuse_difference(agreement, "fp32")


def test_rounded_weights_pass_as_half_precision_and_not_as_single() -> None:
    rounded = Agreement(probability=5e-3, probability_member=0, log_distance=5e-3, distance_member=0)
    refuse_difference(rounded, "fp16")
    with pytest.raises(ModelError, match="it is refused"):
        refuse_difference(rounded, "fp32")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_answer_that_is_not_finite_never_agrees(folder: Path, value: float) -> None:
    reference = compile_step.run_onnx(folder, load_manifest(folder), compile_step.reference_fields(2, 64))
    for which in (0, 1):
        candidate = tuple(part.copy() for part in reference)
        candidate[which][1, 2] = value
        with pytest.raises(ModelError, match="member 2 differs from the ONNX by inf"):
            refuse_difference(compare(reference, candidate), "fp16")


def test_answers_of_another_shape_are_refused(folder: Path) -> None:
    reference = compile_step.run_onnx(folder, load_manifest(folder), compile_step.reference_fields(2, 64))
    with pytest.raises(ModelError, match="answers with shape"):
        compare(reference, (reference[0][:, :2], reference[1]))


def test_reference_fields_are_the_same_everywhere_and_lie_in_the_unit_interval() -> None:
    fields = compile_step.reference_fields(16, 64)
    assert fields.shape == (16, 1, 64, 64)
    assert fields.dtype == np.float32
    assert fields.min() >= 0
    assert fields.max() <= 1
    np.testing.assert_array_equal(fields, compile_step.reference_fields(16, 64))


def test_without_tensorrt_or_gpu_the_way_out_is_told_and_nothing_is_written(folder: Path, tmp_path: Path) -> None:
    torch = importlib.util.find_spec("torch") and importlib.import_module("torch")
    if importlib.util.find_spec("tensorrt") and torch and torch.cuda.is_available():
        pytest.skip("this machine can compile")
    with pytest.raises(ConfigurationError, match="lay out for onnxruntime"):
        compile_step.compile_plan(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


class FakeCuda:
    """Stands where a GPU would: names itself, computes nothing."""

    class cuda:  # noqa: N801  (torch's own spelling)
        @staticmethod
        def get_device_capability() -> tuple[int, int]:
            return 9, 0

        @staticmethod
        def get_device_name() -> str:
            return "a GPU"


class FakeTensorRT:
    __version__ = "11.0"


def on_a_pretended_gpu(monkeypatch: pytest.MonkeyPatch, run: Callable[..., Answers]) -> None:
    monkeypatch.setattr(compile_step, "_tensorrt_and_torch", lambda: (FakeTensorRT, FakeCuda))
    monkeypatch.setattr(compile_step, "build_engine", lambda trt, graph, manifest, max_batch: graph)
    monkeypatch.setattr(compile_step, "_run_plan", run)


def test_half_precision_needs_a_part_before_a_pooling(folder: Path) -> None:
    with pytest.raises(ModelError, match="has no pooling"):
        half_precision((folder / "1" / "model.onnx").read_bytes())


def test_weights_stored_in_half_are_read_as_they_are() -> None:
    """Exported models store them so and cast them at run time."""
    shipped = shipped_models()
    assert shipped is not None
    for manifest_path in shipped.glob("*/manifest.json"):
        graph = (manifest_path.parent / load_manifest(manifest_path.parent).onnx.file).read_bytes()
        model = onnx.load_from_string(half_precision(graph))
        assert {node.output[0] for node in model.graph.node if node.op_type == "Cast"} >= {"fields.as_half"}
        assert len([node for node in model.graph.node if node.op_type == "Cast"]) < 5
        fields = compile_step.reference_fields(8, 64)
        refuse_difference(compare(answers_of(graph, fields), answers_of(model.SerializeToString(), fields)), "fp16")


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_an_accepted_plan_stands_in_the_manifest_with_its_fingerprint(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: Any
) -> None:
    on_a_pretended_gpu(monkeypatch, lambda trt, torch, plan, manifest, fields: answers_of(plan, fields))
    edit_manifest(folder, onnx={"file": "1/model.onnx", "sha256": sha256_of(convolutional(folder))})
    made = compile_step.compile_plan(folder, tmp_path / "out", precision, max_batch=16)
    plan = load_manifest(made).plan
    assert plan is not None
    assert (plan.precision, plan.gpu, plan.compute_capability, plan.max_batch) == (precision, "a GPU", "9.0", 16)
    assert plan.onnx_sha256 == load_manifest(folder).onnx.sha256
    assert (made / plan.file).exists()
    assert load_manifest(folder).plan is None


def test_a_refused_plan_leaves_an_earlier_one_as_it_was(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_pretended_gpu(monkeypatch, lambda trt, torch, plan, manifest, fields: answers_of(plan, fields))
    made = compile_step.compile_plan(folder, tmp_path / "out")
    before = (made / "manifest.json").read_bytes()
    wrong = perturbed(folder, "classes", spoil_member_1)
    monkeypatch.setattr(compile_step, "_run_plan", lambda trt, torch, plan, manifest, fields: answers_of(wrong, fields))
    with pytest.raises(ModelError, match="it is refused"):
        compile_step.compile_plan(folder, tmp_path / "out")
    assert (made / "manifest.json").read_bytes() == before
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["tiny"]


def convolutional(folder: Path) -> Path:
    """A graph with convolutions before the head, as the real network has, in place of the tiny one's."""
    rng = np.random.default_rng(0)
    path = folder / "1" / "model.onnx"
    model = onnx.load(path)
    for node in model.graph.node:
        node.input[:] = ["trunk" if name == "fields" else name for name in node.input]
    weights = {"w1": rng.normal(0, 0.2, (8, 1, 3, 3)), "w2": rng.normal(0, 0.1, (1, 8, 3, 3))}
    model.graph.initializer.extend(numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items())
    trunk = [
        helper.make_node("Conv", ["fields", "w1"], ["c1"], pads=[1] * 4),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["trunk"], pads=[1] * 4),
    ]
    for position, node in enumerate(trunk):
        model.graph.node.insert(position, node)
    onnx.save(model, path)
    return path


def test_half_precision_ends_before_the_pooling(folder: Path) -> None:
    graph = convolutional(folder).read_bytes()
    half = half_precision(graph)
    model = onnx.load_from_string(half)
    types = {weight.name: weight.data_type for weight in model.graph.initializer}
    assert types["w1.as_half"] == types["w2.as_half"] == TensorProto.FLOAT16
    assert types["classes"] == types["features"] == TensorProto.FLOAT
    assert {value.type.tensor_type.elem_type for value in [*model.graph.input, *model.graph.output]} == {TensorProto.FLOAT}
    fields = compile_step.reference_fields(8, 64)
    agreement = compare(answers_of(graph, fields), answers_of(half, fields))
    assert 0 < agreement.probability < 2e-2
    refuse_difference(agreement, "fp16")


def tensorrt_rtx() -> Any:
    if importlib.util.find_spec("tensorrt_rtx") is None:
        absent("tensorrt_rtx", "the package is not installed")
    return importlib.import_module("tensorrt_rtx")


def test_tensorrt_rtx_builds_the_graph_without_a_gpu(folder: Path) -> None:
    tensorrt_rtx()
    assert check_with_tensorrt_rtx(folder, load_manifest(folder), max_batch=16) > 1000


def test_tensorrt_rtx_builds_the_half_precision_graph_too(folder: Path) -> None:
    graph = convolutional(folder).read_bytes()
    assert len(build_engine(tensorrt_rtx(), half_precision(graph), load_manifest(folder), 16)) > 1000


def test_tensorrt_rtx_builds_every_shipped_model_in_both_precisions(tmp_path: Path) -> None:
    trt = tensorrt_rtx()
    shipped = shipped_models()
    assert shipped is not None
    for manifest_path in shipped.glob("*/manifest.json"):
        manifest = load_manifest(manifest_path.parent)
        assert check_with_tensorrt_rtx(manifest_path.parent, manifest) > 1000
        half = half_precision((manifest_path.parent / manifest.onnx.file).read_bytes())
        assert len(build_engine(trt, half, manifest, 48)) > 1000


def test_an_operator_that_tensorrt_does_not_know_is_named(folder: Path) -> None:
    trt = tensorrt_rtx()
    model = onnx.load(folder / "1" / "model.onnx")
    model.graph.node[0].op_type = "Sharpen"
    with pytest.raises(ModelError, match=r"cannot parse its graph .*Sharpen"):
        build_engine(trt, model.SerializeToString(), load_manifest(folder), 16)


def test_without_tensorrt_rtx_the_way_out_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorrt_rtx", None)
    with pytest.raises(ConfigurationError, match="pip install tensorrt-rtx"):
        check_with_tensorrt_rtx(folder, load_manifest(folder))
