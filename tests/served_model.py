"""A tiny served model with the real one's inputs and outputs, made without torch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from edge_agent.inference import canary_fields, sha256_of

if TYPE_CHECKING:
    from pathlib import Path

LOTS = ("ebc", "powder", "superalloy")
MAP = (8, 8)
"""Rows and columns of the local map."""


def write_tiny_model(
    folder: Path,
    *,
    name: str = "tiny",
    version: str = "1",
    members: int = 2,
    seed: int = 0,
    nan_above: float | None = None,
    with_map: bool = False,
) -> Path:
    """A random ensemble of linear members on an 8x8 pooling of the field, which is also its local map where one is wanted.

    `nan_above` spoils member 0 for fields of a larger mean.
    """
    rng = np.random.default_rng(seed)
    lots = len(LOTS)
    weights = {
        "classes": rng.normal(0, 0.5, (64, members * lots)).astype(np.float32),
        "features": rng.normal(0, 1, (64, members)).astype(np.float32),
        "logit_shape": np.array([-1, members, lots], dtype=np.int64),
        "flat": np.array([-1, 64], dtype=np.int64),
        "one": np.array(1, dtype=np.float32),
    }
    nodes = [
        helper.make_node("AveragePool", ["fields"], ["pooled"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Reshape", ["pooled", "flat"], ["x"]),
        helper.make_node("MatMul", ["x", "classes"], ["flat_logits"]),
        helper.make_node("Reshape", ["flat_logits", "logit_shape"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["softmax" if nan_above is not None else "probabilities"], axis=2),
        helper.make_node("MatMul", ["x", "features"], ["projected"]),
        helper.make_node("Mul", ["projected", "projected"], ["squared"]),
        helper.make_node("Add", ["squared", "one"], ["distances"]),
    ]
    if nan_above is not None:
        # sqrt of a negative number is NaN: for a field whose mean lies above the limit, in the members that `spoiled` selects
        weights |= {
            "limit": np.array(nan_above, dtype=np.float32),
            "zero": np.array(0, dtype=np.float32),
            "spoiled": np.array([[[1.0]] + [[0.0]] * (members - 1)], dtype=np.float32),
            "axes": np.array([1], dtype=np.int64),
        }
        nodes += [
            helper.make_node("ReduceMean", ["x", "axes"], ["mean"], keepdims=1),
            helper.make_node("Sub", ["limit", "mean"], ["margin"]),
            helper.make_node("Min", ["margin", "zero"], ["excess"]),
            helper.make_node("Unsqueeze", ["excess", "axes"], ["excess3"]),
            helper.make_node("Mul", ["excess3", "spoiled"], ["chosen"]),
            helper.make_node("Sqrt", ["chosen"], ["nan_or_zero"]),
            helper.make_node("Add", ["softmax", "nan_or_zero"], ["probabilities"]),
        ]
    outputs = [
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", members, lots]),
        helper.make_tensor_value_info("distances", TensorProto.FLOAT, ["batch", members]),
    ]
    if with_map:
        weights["map_shape"] = np.array([-1, *MAP], dtype=np.int64)
        nodes.append(helper.make_node("Reshape", ["pooled", "map_shape"], ["local_map"]))
        outputs.append(helper.make_tensor_value_info("local_map", TensorProto.FLOAT, ["batch", *MAP]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("fields", TensorProto.FLOAT, ["batch", 1, 64, 64])],
        outputs,
        [numpy_helper.from_array(value, key) for key, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    path = folder / "1" / "model.onnx"
    path.parent.mkdir(parents=True)
    onnx.save(model, path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    known = session.run(["probabilities"], {"fields": canary_fields()})[0]
    manifest = manifest_of(path, name=name, version=version, members=members, canary=np.nan_to_num(known, nan=0.0).tolist())
    if with_map:
        manifest["outputs"]["local_map"] = {"name": "local_map", "dtype": "float32", "shape": [-1, *MAP]}
    write_manifest(folder, manifest)
    return folder


def exchange_members(folder: Path, *places: int, weight: float | None = None) -> None:
    """Give the members at `places` other weights, all of them `weight` or, without, negated; the known answer stays the old one."""
    path = folder / "1" / "model.onnx"
    model = onnx.load(path)
    (classes,) = (tensor for tensor in model.graph.initializer if tensor.name == "classes")
    weights = numpy_helper.to_array(classes).copy()
    for place in places:
        part = slice(place * len(LOTS), (place + 1) * len(LOTS))
        weights[:, part] = -weights[:, part] if weight is None else weight
    classes.CopyFrom(numpy_helper.from_array(weights, "classes"))
    onnx.save(model, path)
    edit_manifest(folder, onnx={"file": "1/model.onnx", "sha256": sha256_of(path)})


def manifest_of(onnx_path: Path, *, name: str, version: str, members: int, canary: list[Any]) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "name": name,
        "version": version,
        "task": "classification",
        "method": "deep_ensemble",
        "lots": list(LOTS),
        "members": members,
        "onnx": {"file": "1/model.onnx", "sha256": sha256_of(onnx_path)},
        "calibration": None,
        "input": {"name": "fields", "dtype": "float32", "shape": [-1, 1, 64, 64]},
        "outputs": {
            "probabilities": {"name": "probabilities", "dtype": "float32", "shape": [-1, members, len(LOTS)]},
            "distances": {"name": "distances", "dtype": "float32", "shape": [-1, members]},
        },
        "preprocessing": {"field_px": 256, "input_px": 64, "max_fields": 12},
        "referral": [{"coverage": 0.9, "entropy_threshold": 0.5}],
        "canary": {"formula": "sinusoids-1", "probabilities": canary, "tolerance": 1e-3},
        "training": {"recipe": "tiny", "members": [{"seed": 11 + place} for place in range(members)]},
        "licence": "CC0-1.0",
    }


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))


def edit_manifest(folder: Path, **changes: Any) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    write_manifest(folder, manifest | changes)
