"""Write trained networks as a served model: one ONNX graph by the recipe's method, and its manifest."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import torch

from edge_agent.core.errors import EdgeAgentError
from edge_agent.inference import (
    MANIFEST_NAME,
    Canary,
    DigestedFile,
    Manifest,
    Outputs,
    Tensor,
    canary_fields,
    sha256_of,
)
from model_repo.export.graph import OUTPUTS, fold_and_halve, write_graph
from model_repo.export.networks import load_networks
from model_repo.export.referral import referral_points
from model_repo.frames import frame_predictions
from model_repo.metrics.temperature import fit_temperature
from model_repo.staging import staged
from model_repo.uncertainty import METHODS, Fitting
from model_repo.uncertainty.method import in_batches

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import nn

    from model_repo.data.source import Source
    from model_repo.recipe import Recipe
    from model_repo.uncertainty import Method, Served

TOLERANCE = 1e-3
RELATIVE_TOLERANCE = 0.02
COMPARED_FIELDS = 30


def export(recipe: Recipe, source: Source, checkpoints: Path, out: Path, *, with_temperature: bool = False) -> Manifest:
    """Make `out`/1/model.onnx with `out`/manifest.json of the recipe's trained networks; nothing is half-written.

    Args:
        recipe: names the method.
        source: what is fitted after training is fitted on its training side, thresholds on its calibration side.
        checkpoints: the folder `train` wrote.
        out: the served model's folder; an earlier one is replaced as a whole.
        with_temperature: divide the logits by the temperature that minimises the NLL on the calibration side.

    Raises:
        EdgeAgentError: a checkpoint is missing or foreign, members were trained on different data, or the graph differs from the
            networks by more than 1e-3.
    """
    method = METHODS[recipe.method.kind]
    networks, kept = load_networks(method, recipe, source, checkpoints)
    fitting = _fitting(recipe, source)
    rounded = [copy.deepcopy(network) for network in networks]
    for network in rounded:
        fold_and_halve(network)
    rounding = _rounding(method, networks, rounded, fitting)
    served = method.serve(rounded, recipe, fitting)
    if with_temperature:
        p = in_batches(lambda fields: served(fields)[0], fitting.held_out_fields).numpy()
        try:
            served.temperature = fit_temperature(p, fitting.held_out_labels.numpy())
        except ValueError as error:
            raise EdgeAgentError("the temperature", str(error), "export without --temperature") from error
    with staged(out) as made:
        path = made / recipe.version / "model.onnx"
        path.parent.mkdir(parents=True)
        write_graph(served, path, recipe.preprocessing.input_px)
        session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
        manifest = _manifest(method, recipe, source, session, sha256_of(path), served, kept, (_compare(session, served, fitting), rounding))
        (made / MANIFEST_NAME).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return manifest


def _manifest(
    method: Method,
    recipe: Recipe,
    source: Source,
    session: Any,
    digest: str,
    served: Served,
    kept: Sequence[dict[str, Any]],
    differences: tuple[float, float],
) -> Manifest:
    px, lots, count = recipe.preprocessing.input_px, len(source.lots), served.members
    calibration = source.frames("calibration")
    predictions = frame_predictions(session, [frame.pixels for frame in calibration], recipe, source.lots)
    answer, local = session.run(["probabilities", "local_map"], {"fields": canary_fields(px)})
    return Manifest(
        name=recipe.name,
        version=recipe.version,
        method=recipe.method.kind.value,
        distance_kind=method.distance_kind,
        lots=source.lots,
        members=count,
        onnx=DigestedFile(file=f"{recipe.version}/model.onnx", sha256=digest),
        input=Tensor(name="fields", shape=(-1, 1, px, px)),
        outputs=Outputs(
            probabilities=Tensor(name="probabilities", shape=(-1, count, lots)),
            distances=Tensor(name="distances", shape=(-1, count)),
            local_map=Tensor(name="local_map", shape=(-1, *local.shape[1:])),
        ),
        preprocessing=recipe.preprocessing,
        referral=referral_points(predictions, calibration),
        canary=Canary(probabilities=np.round(answer.astype(np.float64), 6).tolist()),
        training={
            "recipe": f"{recipe.name}.toml",
            **source.describe(),
            "members": [dict(member) for member in kept],
            "steps": recipe.training.steps,
            "batch": recipe.training.batch,
            "torch": torch.__version__,
            "exported": datetime.now(UTC).date().isoformat(),
            "fitted on": f"{recipe.distance.crops} training fields, shrinkage {recipe.distance.shrinkage:g}, seed {recipe.distance.seed}",
            "fitted": dict(served.notes),
            "temperature": float(f"{served.temperature:.4g}"),
            "largest_difference_from_networks": float(f"{differences[0]:.3g}"),
            "largest_change_by_half_precision_weights": float(f"{differences[1]:.3g}"),
            "referral": f"whole frames of the calibration side ({len(calibration)} frames)",
        },
        licence=recipe.licence,
    )


def _fitting(recipe: Recipe, source: Source) -> Fitting:
    fields, labels = source.fitting(recipe.distance.crops, np.random.default_rng(recipe.distance.seed))
    held_out, truth = source.held_out()
    return Fitting(
        torch.from_numpy(fields),
        torch.from_numpy(labels),
        torch.from_numpy(held_out),
        torch.from_numpy(truth),
        recipe.distance.shrinkage,
        recipe.distance.seed,
    )


def _rounding(method: Method, networks: Sequence[nn.Module], rounded: Sequence[nn.Module], fitting: Fitting) -> float:
    """Largest change of a network's own probability by half-precision weights."""
    answers = [
        [in_batches(partial(method.probabilities, network), fitting.fields[:COMPARED_FIELDS]) for network in group]
        for group in (networks, rounded)
    ]
    return max(float((before - after).abs().max()) for before, after in zip(*answers, strict=True))


def _compare(session: Any, served: Served, fitting: Fitting) -> float:
    """Largest difference of a probability of the graph from that of the networks it was made of.

    Raises:
        EdgeAgentError: a probability differs by more than TOLERANCE, or a distance or local map by more than its share of the value.
    """
    fields = torch.cat([torch.from_numpy(canary_fields(fitting.fields.shape[-1])), fitting.fields[:COMPARED_FIELDS]])
    answered = session.run(list(OUTPUTS), {"fields": fields.numpy()})
    with torch.inference_mode():
        expected = [output.numpy() for output in served(fields)]
    difference = float(np.abs(answered[0] - expected[0]).max())
    apart = max(float((np.abs(a - e) / (np.abs(e) + np.abs(e).mean())).max()) for a, e in zip(answered[1:], expected[1:], strict=True))
    if not (difference <= TOLERANCE and apart <= RELATIVE_TOLERANCE):
        raise EdgeAgentError(
            "the graph",
            f"differs from its networks by {difference:.2g}, its distances and maps by {apart:.1%}",
            f"at most {TOLERANCE:g} and {RELATIVE_TOLERANCE:.0%} are allowed; check torch and onnx",
        )
    return difference
