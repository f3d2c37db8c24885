"""A Triton model repository from a served model's folder: one for each place a graph can run, with equal names and shapes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from edge_agent.core.errors import ConfigurationError, ModelError
from edge_agent.inference import MANIFEST_NAME, Manifest, PlanFingerprint, Tensor, load_manifest, sha256_of, verify
from model_repo.staging import staged

Target: TypeAlias = Literal["python", "onnxruntime", "tensorrt_plan"]

CPU_MAX_BATCH = 64
QUEUE_DELAY_US = 1000
"""How long Triton may hold a request back for others to join its batch."""
ENGINES: dict[Target, str] = {
    "python": 'backend: "python"',
    "onnxruntime": 'backend: "onnxruntime"',
    "tensorrt_plan": 'platform: "tensorrt_plan"',
}


def layout(folder: Path, out: Path, target: Target, *, instances: int = 1, threads: int = 0) -> Path:
    """Write `<out>/<name>/` for Triton and return it; an earlier one is replaced as a whole.

    Args:
        folder: the served model's folder.
        out: the model repository.
        target: python (pip Triton), onnxruntime (NVIDIA's container, CPU) or tensorrt_plan (NVIDIA's container, GPU).
        instances: copies of the model that answer at the same time.
        threads: threads of one instance on a CPU; 0 leaves it to ONNX Runtime.

    Raises:
        ModelError: the folder's digests do not match, or tensorrt_plan is asked for without a plan of this graph.
    """
    if target not in get_args(Target):
        raise ConfigurationError(f"target {target}", "is unknown", f"use one of {', '.join(get_args(Target))}")
    manifest = load_manifest(folder)
    verify(folder, manifest)
    plan = _plan_of(folder, manifest) if target == "tensorrt_plan" else None
    with staged(out / manifest.name) as made:
        version = made / manifest.version
        version.mkdir()
        if plan is not None:
            shutil.copyfile(folder / plan.file, version / "model.plan")
        else:
            shutil.copyfile(folder / manifest.onnx.file, version / "model.onnx")
        if target == "python":
            shutil.copyfile(Path(__file__).with_name("triton_model.py"), version / "model.py")
        kept = [MANIFEST_NAME, *([manifest.calibration.file] if manifest.calibration else [])]
        for name in kept:
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, made / name)
        (made / "config.pbtxt").write_text(config_text(manifest, target, instances=instances, threads=threads), encoding="utf-8")
    return out / manifest.name


def config_text(manifest: Manifest, target: Target, *, instances: int = 1, threads: int = 0) -> str:
    """The config.pbtxt of `target`; only the engine's lines differ between targets."""
    plan = manifest.plan if target == "tensorrt_plan" else None
    parameters = {
        "onnx_sha256": manifest.onnx.sha256,
        "precision": plan.precision if plan else "fp32",
        "threads": str(threads),
    }
    if target == "onnxruntime":
        parameters |= {"intra_op_thread_count": str(threads), "inter_op_thread_count": "1"}
    if plan:
        parameters |= {"plan_sha256": plan.sha256, "tensorrt_version": plan.tensorrt_version, "gpu": plan.gpu}
    lines = [
        f'name: "{manifest.name}"',
        ENGINES[target],
        f"max_batch_size: {plan.max_batch if plan else CPU_MAX_BATCH}",
        f"version_policy {{ specific {{ versions: [{manifest.version}] }} }}",
        _tensor("input", manifest.input),
        *(_tensor("output", tensor) for tensor in manifest.outputs.tensors),
        f"dynamic_batching {{ max_queue_delay_microseconds: {QUEUE_DELAY_US} }}",
        f"instance_group [ {{ count: {instances} kind: {'KIND_GPU' if plan else 'KIND_CPU'} }} ]",
        *(f'parameters {{ key: "{key}" value {{ string_value: "{_quoted(value)}" }} }}' for key, value in parameters.items()),
        "model_warmup [ {",
        '  name: "one field"',
        "  batch_size: 1",
        f'  inputs {{ key: "{manifest.input.name}" value {{ data_type: TYPE_FP32 dims: {_dims(manifest.input)} zero_data: true }} }}',
        "} ]",
    ]
    return "\n".join(lines) + "\n"


def _tensor(side: str, tensor: Tensor) -> str:
    return f'{side} [ {{ name: "{tensor.name}" data_type: TYPE_FP32 dims: {_dims(tensor)} }} ]'


def _dims(tensor: Tensor) -> str:
    return str(list(tensor.shape[1:]))


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _plan_of(folder: Path, manifest: Manifest) -> PlanFingerprint:
    remedy = "run `model-repo compile` on the machine with the GPU that will serve it, or lay out for onnxruntime"
    plan = manifest.plan
    if plan is None:
        raise ModelError(f"model {manifest.name}", "has no TensorRT plan", remedy)
    if plan.onnx_sha256 != manifest.onnx.sha256:
        raise ModelError(
            f"model {manifest.name}", f"its plan was built from {plan.onnx_sha256}, its graph is {manifest.onnx.sha256}", remedy
        )
    path = folder / plan.file
    try:
        found = sha256_of(path)
    except OSError as error:
        raise ModelError(str(path), f"cannot be read ({error.strerror})", remedy) from error
    if found != plan.sha256:
        raise ModelError(str(path), f"has SHA-256 {found}, its manifest expects {plan.sha256}", remedy)
    return plan
