"""Write a trained ensemble as a served model: one fused ONNX graph with half-precision weights, and its manifest."""

from __future__ import annotations

import copy
import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

from edge_agent.core.errors import EdgeAgentError
from edge_agent.inference import (
    MANIFEST_NAME,
    Canary,
    DigestedFile,
    Manifest,
    Outputs,
    ReferralPoint,
    Tensor,
    canary_fields,
    sha256_of,
)
from model_repo import checkpoint
from model_repo.data import CropSampler, Split, load_split, read_micrographs
from model_repo.frames import entropies_of, frame_predictions
from model_repo.fuse import FusedEnsemble, fit_distance, fold_and_halve, merge
from model_repo.train import member_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from model_repo.recipe import Recipe
    from model_repo.zoo import WideResNet

OPSET = 20
TOLERANCE = 1e-3
COVERAGES = (0.7, 0.8, 0.9, 0.95, 1.0)
SMALLEST_HALVED = 1024  # weights; below this a tensor is not worth a Cast


def export(recipe: Recipe, split_file: Path, data: Path, checkpoints: Path, out: Path) -> Manifest:
    """Fuse the recipe's trained members into `out`/1/model.onnx with `out`/manifest.json.

    Raises:
        EdgeAgentError: a checkpoint is missing or foreign, or the graph differs from the members by more than 1e-3.
    """
    split = load_split(split_file)
    members, kept = _load_members(recipe, split, checkpoints)
    rounded = [fold_and_halve(copy.deepcopy(member)) for member in members]
    fields, labels = _fitting_crops(recipe, split, data)
    features = [_in_batches(member.features, fields) for member in rounded]
    fits = [fit_distance(f.astype(np.float64), labels, len(split.lots), recipe.distance.shrinkage) for f in features]
    fused = FusedEnsemble(
        merge(recipe.network, split.lots, rounded),
        torch.stack([whitening for whitening, _ in fits]),
        torch.stack([means for _, means in fits]),
    ).eval()
    path = out / recipe.version / "model.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_graph(fused, path, recipe.preprocessing.input_px)
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    px = recipe.preprocessing.input_px
    reference = np.concatenate([canary_fields(px), fields[:30]])
    difference, rounding = _compare(session, rounded, members, reference)
    if not difference <= TOLERANCE:
        raise EdgeAgentError(
            str(path), f"differs from its members by {difference:.2g}", f"at most {TOLERANCE:g} is allowed; check torch and onnx"
        )
    calibration = read_micrographs(data, split.on("calibration"))
    predictions = frame_predictions(session, [micrograph.pixels for micrograph in calibration], recipe, split.lots)
    lots, count = len(split.lots), len(members)
    answer = session.run(["probabilities"], {"fields": canary_fields(px)})[0]
    manifest = Manifest(
        name=recipe.name,
        version=recipe.version,
        lots=split.lots,
        members=count,
        onnx=DigestedFile(file=f"{recipe.version}/model.onnx", sha256=sha256_of(path)),
        input=Tensor(name="fields", shape=(-1, 1, px, px)),
        outputs=Outputs(
            probabilities=Tensor(name="probabilities", shape=(-1, count, lots)), distances=Tensor(name="distances", shape=(-1, count))
        ),
        preprocessing=recipe.preprocessing,
        referral=_referral(entropies_of(predictions)),
        canary=Canary(probabilities=np.round(answer.astype(np.float64), 6).tolist()),
        training={
            "recipe": f"{recipe.name}.toml",
            "split": split.name,
            "counts": {lot: {side: dict(count) for side, count in sides.items()} for lot, sides in split.counts().items()},
            "members": [dict(member) for member in kept],
            "steps": recipe.training.steps,
            "batch": recipe.training.batch,
            "torch": torch.__version__,
            "exported": datetime.now(UTC).date().isoformat(),
            "distance": f"{recipe.distance.crops} training crops, shrinkage {recipe.distance.shrinkage:g}, seed {recipe.distance.seed}",
            "largest_difference_from_members": float(f"{difference:.3g}"),
            "largest_change_by_half_precision_weights": float(f"{rounding:.3g}"),
            "referral": f"whole frames of the calibration side ({len(calibration)} images)",
        },
        licence=recipe.licence,
    )
    (out / MANIFEST_NAME).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return manifest


def write_graph(fused: FusedEnsemble, path: Path, input_px: int) -> None:
    """Export to ONNX with a dynamic batch, then store the large weights in half precision; the arithmetic stays in single."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
        program = torch.onnx.export(
            fused,
            (torch.zeros(2, 1, input_px, input_px),),
            input_names=["fields"],
            output_names=["probabilities", "distances"],
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes={"fields": {0: torch.export.Dim("batch", min=1)}},
            verbose=False,
        )
    if program is None:
        raise EdgeAgentError(str(path), "the exporter returned nothing", "use torch of the range in pyproject.toml")
    model = program.model_proto
    _halve_weights(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _halve_weights(model: Any) -> None:
    graph = model.graph
    convolved = {node.input[1] for node in graph.node if node.op_type == "Conv"}
    casts = []
    for weight in list(graph.initializer):
        if weight.name in convolved and weight.data_type == TensorProto.FLOAT and np.prod(weight.dims) >= SMALLEST_HALVED:
            halved = numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), f"{weight.name}.half")
            casts.append(helper.make_node("Cast", [halved.name], [weight.name], name=f"{weight.name}.cast", to=TensorProto.FLOAT))
            graph.initializer.remove(weight)
            graph.initializer.append(halved)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]
    for node in graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    del graph.metadata_props[:]


def _load_members(recipe: Recipe, split: Split, folder: Path) -> tuple[list[WideResNet], list[dict[str, Any]]]:
    architecture = checkpoint.describe(recipe.network, split.lots)
    members, kept = [], []
    for seed in recipe.training.seeds:
        content = checkpoint.load(member_path(folder, seed), architecture)
        member = checkpoint.build(recipe.network, split.lots)
        member.load_state_dict(content["best"])
        members.append(member.eval())
        kept.append(
            {
                "seed": seed,
                "kept_step": content["best_step"],
                "calibration_nll": round(content["best_nll"], 4),
                "seconds": round(content["seconds"]),
            }
        )
    return members, kept


def _fitting_crops(recipe: Recipe, split: Split, data: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    preprocessing = recipe.preprocessing
    sampler = CropSampler(
        read_micrographs(data, split.on("train")),
        split.lots,
        field_px=preprocessing.field_px,
        input_px=preprocessing.input_px,
        scale=recipe.training.scale,
        filament=0.0,
    )
    return sampler.draw(recipe.distance.crops, np.random.default_rng(recipe.distance.seed))


def _in_batches(function: Any, fields: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.inference_mode():
        answers: NDArray[np.float32] = torch.cat([function(batch) for batch in torch.split(torch.from_numpy(fields), 32)]).numpy()
    return answers


def _compare(
    session: Any, rounded: Sequence[WideResNet], members: Sequence[WideResNet], fields: NDArray[np.float32]
) -> tuple[float, float]:
    """Largest difference of a probability: graph from rounded members, and rounded members from the trained ones."""
    answered = session.run(["probabilities"], {"fields": fields})[0]
    expected, trained = (
        np.concatenate([_in_batches(lambda batch, m=member: torch.softmax(m(batch), dim=2), fields) for member in group], axis=1)
        for group in (rounded, members)
    )
    return float(np.abs(answered - expected).max()), float(np.abs(expected - trained).max())


def _referral(entropies: NDArray[np.float64]) -> tuple[ReferralPoint, ...]:
    ordered = np.sort(entropies)
    ranks = [max(int(np.ceil(coverage * len(ordered))) - 1, 0) for coverage in COVERAGES]
    return tuple(ReferralPoint(coverage=c, entropy_threshold=round(float(ordered[r]), 6)) for c, r in zip(COVERAGES, ranks, strict=True))
