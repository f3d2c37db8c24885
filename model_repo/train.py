"""Train a recipe's members one after the other; each is resumed where an interruption left it."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from edge_agent.core.errors import EdgeAgentError
from model_repo import checkpoint
from model_repo.data import CropSampler, load_split, read_micrographs
from model_repo.fields import labelled_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from model_repo.recipe import Recipe
    from model_repo.zoo import WideResNet


@dataclass(frozen=True, slots=True)
class MemberResult:
    """How one member's training ended: its calibration figures at the step that was kept."""

    seed: int
    step: int
    calibration_nll: float
    calibration_accuracy: float
    seconds: float


def member_path(folder: Path, seed: int) -> Path:
    """Where a member's checkpoint lies in the output folder."""
    return folder / f"member-{seed}.pt"


def train(
    recipe: Recipe, split_file: Path, data: Path, out: Path, *, seeds: Sequence[int] = (), tell: Callable[[str], None] = print
) -> list[MemberResult]:
    """Train the recipe's members (or only `seeds`) into `out`; raise EdgeAgentError for bad sources, checkpoints and diverging losses."""
    split = load_split(split_file)
    training = recipe.training
    preprocessing = recipe.preprocessing
    sampler = CropSampler(
        read_micrographs(data, split.on("train")),
        split.lots,
        field_px=preprocessing.field_px,
        input_px=preprocessing.input_px,
        scale=training.scale,
        filament=training.filament,
    )
    held_out = labelled_fields(read_micrographs(data, split.on("calibration")), split.lots, preprocessing)
    print_of_run = hashlib.sha256(
        (recipe.model_dump_json(include={"network", "preprocessing", "training"}) + split.model_dump_json(include={"images"})).encode()
    ).hexdigest()
    return [
        _train_member(recipe, split.lots, sampler, held_out, member_path(out, seed), seed, print_of_run, tell)
        for seed in seeds or training.seeds
    ]


def _train_member(
    recipe: Recipe,
    lots: tuple[str, ...],
    sampler: CropSampler,
    held_out: tuple[NDArray[np.float32], NDArray[np.int64]],
    path: Path,
    seed: int,
    fingerprint: str,
    tell: Callable[[str], None],
) -> MemberResult:
    training = recipe.training
    architecture = checkpoint.describe(recipe.network, lots)
    torch.manual_seed(seed)
    model = checkpoint.build(recipe.network, lots).to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(model.parameters(), training.learning_rate, weight_decay=training.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, training.steps)
    state: dict[str, Any] = {"step": 0, "best_nll": math.inf, "seconds": 0.0}
    if path.exists():
        state = checkpoint.load(path, architecture)
        if state["fingerprint"] != fingerprint:
            raise EdgeAgentError(str(path), "was made by another recipe or split", "choose another --out or delete it")
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
    began = time.monotonic() - state["seconds"]
    for step in range(state["step"], training.steps):
        # the generator depends on seed and step alone, so that a resumed run sees the crops an undisturbed one would
        fields, labels = sampler.draw(training.batch, np.random.default_rng((seed, step)))
        model.train()
        logits = model(torch.from_numpy(fields))[:, 0]
        loss = functional.cross_entropy(logits, torch.from_numpy(labels))
        if not math.isfinite(loss.item()):
            reason = f"loss became {loss.item()} at step {step + 1}"
            raise EdgeAgentError(f"member {seed}", reason, f"lower learning_rate; the checkpoint before it is kept in {path}")
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves Tensor.backward untyped
        optimiser.step()
        schedule.step()
        if (step + 1) % training.check_every == 0 or step + 1 == training.steps:
            nll, accuracy = _check(model, *held_out)
            state |= {"step": step + 1, "seconds": time.monotonic() - began, "architecture": architecture, "fingerprint": fingerprint}
            state |= {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "schedule": schedule.state_dict()}
            if nll < state["best_nll"]:
                best = {key: value.clone() for key, value in model.state_dict().items()}
                state |= {"best": best, "best_nll": nll, "best_accuracy": accuracy, "best_step": step + 1}
            checkpoint.save(path, state)
            tell(f"member {seed} step {step + 1}/{training.steps} loss {loss.item():.4f} calibration nll {nll:.4f} accuracy {accuracy:.3f}")
    return MemberResult(seed, state["best_step"], state["best_nll"], state["best_accuracy"], state["seconds"])


def _check(model: WideResNet, fields: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, float]:
    model.eval()
    with torch.inference_mode():
        logits = torch.cat([model(batch)[:, 0] for batch in torch.split(torch.from_numpy(fields), 64)])
    truth = torch.from_numpy(labels)
    nll = functional.cross_entropy(logits, truth).item()
    return nll if math.isfinite(nll) else math.inf, (logits.argmax(dim=1) == truth).float().mean().item()
