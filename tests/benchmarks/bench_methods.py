"""What each uncertainty costs beside the plain network: `python -m tests.benchmarks methods`.

Graphs of untrained networks of sem-virtual's size: time does not depend on what the weights are. One thread; all graphs answer the
same fields in turns, and the median of the rounds' ratios counts, so that other work on the machine touches all alike.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import torch

from model_repo.export.graph import fold_and_halve, write_graph
from model_repo.method_kind import MethodKind
from model_repo.recipe import Recipe, find_recipe, load_recipe
from model_repo.uncertainty import METHODS, Fitting

if TYPE_CHECKING:
    from collections.abc import Callable

LOTS = 30
ROUNDS = int(os.environ.get("ROUNDS", "15"))
BATCHES = (1, 4)
ANSWERS = ["probabilities", "distances"]
NAMES = {
    MethodKind.SOFTMAX: "plain network (softmax)",
    MethodKind.LLPR: "+ last-layer rigidity, 16 sampled layers",
    MethodKind.VGP_HEAD: "+ Gaussian-process head, 16 draws",
    MethodKind.SPECTRAL_GP: "spectral Gaussian process, 16 draws",
    MethodKind.MC_DROPOUT: "16 dropout passes in one graph",
    MethodKind.DEEP_ENSEMBLE: "ensemble of 5 in one graph",
}


def main() -> None:
    torch.set_num_threads(1)
    recipe = load_recipe(find_recipe("sem-virtual"))
    fitting = random_fitting()
    with tempfile.TemporaryDirectory() as scratch:
        graphs = {name: session_of(kind, recipe, fitting, Path(scratch)) for kind, name in NAMES.items()}
        alone = [session_of(MethodKind.SOFTMAX, recipe, fitting, Path(scratch), seed) for seed in recipe.training.seeds]
        bare = bare_session(recipe, Path(scratch))
    members = len(recipe.training.seeds)
    apart = f"ensemble of {members} as {members} sessions"
    print(f"largest difference of the one graph from its members' own sessions: {difference(graphs, alone):.1g}")
    print(f"\n{platform.processor() or platform.machine()}, {os.cpu_count()} cores, one thread, median of {ROUNDS} rounds in turns\n")
    for batch in BATCHES:
        fields = np.random.default_rng(0).random((batch, 1, 64, 64), np.float32)
        ways: dict[str, Callable[[], Any]] = {"bare network, logits alone": lambda f=fields: bare.run(None, {"fields": f})}
        ways |= {name: (lambda s=session, f=fields: s.run(ANSWERS, {"fields": f})) for name, session in graphs.items()}
        ways[apart] = lambda f=fields: [member.run(ANSWERS, {"fields": f}) for member in alone]
        table(in_turns(ways), batch, apart)


def difference(graphs: dict[str, Any], alone: list[Any]) -> float:
    """Of a probability, over a few fields; more than 1e-5 is an error."""
    fields = np.random.default_rng(1).random((8, 1, 64, 64), np.float32)
    fused = graphs[NAMES[MethodKind.DEEP_ENSEMBLE]].run(ANSWERS, {"fields": fields})[0]
    found = float(np.abs(fused - np.concatenate([member.run(ANSWERS, {"fields": fields})[0] for member in alone], axis=1)).max())
    if found > 1e-5:
        raise AssertionError(f"the one graph differs from its members by {found:.2g}")
    return found


def random_fitting() -> Fitting:
    generator = torch.Generator().manual_seed(0)
    fields = torch.rand((300, 1, 64, 64), generator=generator)
    return Fitting(fields, torch.arange(300) % LOTS, fields[:60], torch.arange(60) % LOTS, shrinkage=0.1, seed=0)


def session_of(kind: MethodKind, recipe: Recipe, fitting: Fitting, scratch: Path, seed: int | None = None) -> Any:
    chosen = recipe.with_method(kind)
    if seed is not None:
        chosen = chosen.model_copy(update={"training": chosen.training.model_copy(update={"seeds": (seed,)})})
    method = METHODS[kind]
    networks = []
    for own in chosen.training.seeds:
        torch.manual_seed(own)
        network = method.network(chosen, LOTS).eval()
        method.prepare(network, lambda count: (fitting.fields[:count], fitting.labels[:count]), 1.0)
        network.eval()
        fold_and_halve(network)
        networks.append(network)
    path = scratch / f"{kind}-{len(networks)}-{chosen.training.seeds[0]}.onnx"
    write_graph(method.serve(networks, chosen, fitting), path, 64)
    return session(path)


def bare_session(recipe: Recipe, scratch: Path) -> Any:
    """The network with nothing after its logits."""
    torch.manual_seed(0)
    network = METHODS[MethodKind.SOFTMAX].network(recipe, LOTS).eval()
    fold_and_halve(network)
    path = scratch / "bare.onnx"
    batch = torch.export.Dim("batch", min=1)
    torch.onnx.export(
        network, (torch.zeros(2, 1, 64, 64),), path, input_names=["fields"], opset_version=20, dynamo=True, verbose=False,
        external_data=False, dynamic_shapes={"fields": {0: batch}},
    )  # fmt: skip
    return session(path)


def session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


def in_turns(ways: dict[str, Callable[[], Any]]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in ways}
    for run in ways.values():
        run()
    for _ in range(ROUNDS):
        for name, run in ways.items():
            best = float("inf")
            for _ in range(3):
                began = time.perf_counter()
                run()
                best = min(best, time.perf_counter() - began)
            times[name].append(best)
    return times


def table(times: dict[str, list[float]], batch: int, apart: str) -> None:
    bare = times["bare network, logits alone"]
    fused = times[NAMES[MethodKind.DEEP_ENSEMBLE]]
    print(f"{batch} field(s) a run{'':28}{'ms':>8}{'over the bare network':>24}")
    for name, found in times.items():
        ratio = median(a / b for a, b in zip(found, bare, strict=True))
        print(f"  {name:42}{1000 * median(found):>8.2f}{ratio:>24.3f}")
    print(f"  {apart}, over one graph: {median(a / b for a, b in zip(times[apart], fused, strict=True)):.2f}\n")


if __name__ == "__main__":
    main()
