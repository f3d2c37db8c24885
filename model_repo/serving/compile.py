"""A TensorRT plan for the GPU at hand, kept only if every member still answers as the ONNX does."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.core.errors import ConfigurationError
from edge_agent.inference import MANIFEST_NAME, Manifest, PlanFingerprint, canary_fields, load_manifest, open_session, sha256_of
from model_repo.serving.agreement import Precision, compare, refuse_difference
from model_repo.serving.engine import build_engine
from model_repo.staging import staged

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from model_repo.serving.agreement import Answers

PLAN_NAME = "model.plan"


def compile_plan(folder: Path, out: Path, precision: Precision = "fp32", *, max_batch: int = 48) -> Path:
    """Build a plan here, compare it with the ONNX on `reference_fields`, and write the model with its plan to `<out>/<name>`.

    Raises:
        ConfigurationError: no TensorRT, no torch or no GPU on this machine.
        ModelError: the graph is not supported, or the plan differs by more than `precision` excuses; nothing is written then.
    """
    manifest = load_manifest(folder)
    trt, torch = _tensorrt_and_torch()
    fields = reference_fields(max_batch, manifest.preprocessing.input_px)
    reference = run_onnx(folder, manifest, fields)
    graph = (folder / manifest.onnx.file).read_bytes()
    plan = build_engine(trt, _in_half(graph) if precision == "fp16" else graph, manifest, max_batch)
    agreement = compare(reference, _run_plan(trt, torch, plan, manifest, fields))
    refuse_difference(agreement, precision)
    major, minor = torch.cuda.get_device_capability()
    final = out / manifest.name
    with staged(final) as made:
        shutil.copytree(folder, made, dirs_exist_ok=True)
        path = made / manifest.version / PLAN_NAME
        path.write_bytes(plan)
        fingerprint = PlanFingerprint(
            file=f"{manifest.version}/{PLAN_NAME}",
            sha256=sha256_of(path),
            onnx_sha256=manifest.onnx.sha256,
            precision=precision,
            tensorrt_version=trt.__version__,
            gpu=torch.cuda.get_device_name(),
            compute_capability=f"{major}.{minor}",
            max_batch=max_batch,
            largest_difference=agreement.probability,
        )
        text = manifest.model_copy(update={"plan": fingerprint}).model_dump_json(indent=1)
        (made / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")
    return final


def reference_fields(count: int, px: int) -> NDArray[np.float32]:
    """The canary's fields, then crossed sinusoids of other periods under noise; shape (count, 1, px, px), in [0, 1], always the same."""
    rng = np.random.default_rng(2021)
    y, x = np.mgrid[0:px, 0:px] * (2 * np.pi / px)
    fields = [field[0] for field in canary_fields(px)]
    while len(fields) < count:
        a, b, c, d = rng.integers(1, px // 4, 4)
        texture = 0.5 + 0.2 * np.sin(a * x + b * y) + 0.15 * np.cos(c * x - d * y) + rng.normal(0, rng.uniform(0, 0.1), (px, px))
        fields.append(np.clip(texture * rng.uniform(0.5, 1.2), 0, 1))
    return np.stack(fields)[:count, None].astype(np.float32)


def run_onnx(folder: Path, manifest: Manifest, fields: NDArray[np.float32]) -> Answers:
    """The ONNX's probabilities and distances for `fields`, on the CPU."""
    names = [manifest.outputs.probabilities.name, manifest.outputs.distances.name]
    probabilities, distances = open_session(folder).run(names, {manifest.input.name: fields})
    return probabilities, distances


def _in_half(graph: bytes) -> bytes:
    from model_repo.serving.half import half_precision  # noqa: PLC0415  (needs onnx, of the train extra)

    return half_precision(graph)


def _tensorrt_and_torch() -> tuple[Any, Any]:
    remedy = "run this on the machine with the GPU after pip install '.[tensorrt,train]' in the checkout, or lay out for onnxruntime"
    try:
        import tensorrt  # noqa: PLC0415  (absent on most machines)
        import torch  # noqa: PLC0415  (as above)
    except ImportError as error:
        raise ConfigurationError("TensorRT", f"is not installed here ({error.name})", remedy) from error
    if not torch.cuda.is_available():
        raise ConfigurationError("TensorRT", "finds no GPU on this machine", remedy)
    return tensorrt, torch


def _run_plan(trt: Any, torch: Any, plan: bytes, manifest: Manifest, fields: NDArray[np.float32]) -> Answers:
    engine = trt.Runtime(trt.Logger(trt.Logger.ERROR)).deserialize_cuda_engine(plan)
    context = engine.create_execution_context()
    context.set_input_shape(manifest.input.name, fields.shape)
    tensors = {manifest.input.name: torch.from_numpy(fields).cuda()}
    for output in manifest.outputs.tensors:  # TensorRT writes every output, wanted or not
        tensors[output.name] = torch.empty((len(fields), *output.shape[1:]), dtype=torch.float32, device="cuda")
    for name, tensor in tensors.items():
        context.set_tensor_address(name, tensor.data_ptr())
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    if not context.execute_async_v3(stream.cuda_stream):
        raise ConfigurationError("TensorRT", "could not run the plan it built", "check the driver with nvidia-smi")
    stream.synchronize()
    outputs = manifest.outputs
    return tensors[outputs.probabilities.name].cpu().numpy(), tensors[outputs.distances.name].cpu().numpy()
