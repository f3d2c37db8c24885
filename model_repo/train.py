"""Train a recipe's members one after the other; each is resumed where an interruption left it."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import torch
from torch.nn import functional

from edge_agent.core.errors import EdgeAgentError
from model_repo import checkpoint
from model_repo.uncertainty import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from model_repo.data.source import Fields, Source
    from model_repo.recipe import Recipe, Training
    from model_repo.uncertainty import Method

CHECKED_FIELDS = 1920
"""Most calibration fields that a check looks at, evenly chosen."""


class HasTrunk(Protocol):
    """A network on top of a trained one."""

    trunk: nn.Module


@dataclass(frozen=True, slots=True)
class MemberResult:
    """How one member's training ended: its calibration figures at the step that was kept."""

    seed: int
    step: int
    calibration_nll: float
    calibration_accuracy: float
    seconds: float


def train(
    recipe: Recipe, source: Source, out: Path, *, seeds: Sequence[int] = (), tell: Callable[[str], None] = print
) -> list[MemberResult]:
    """Train the recipe's members (or only `seeds`) into `out`; raise EdgeAgentError for bad sources, checkpoints and diverging losses."""
    method = METHODS[recipe.method.kind]
    held_out = _thinned(source.held_out())
    return [_train_member(method, recipe, source, held_out, out, seed, tell) for seed in seeds or recipe.training.seeds]


def fingerprint_of(recipe: Recipe, source: Source) -> str:
    """SHA-256 of what a training depends on; a checkpoint of another is not gone on with."""
    settings = recipe.model_dump_json(include={"network", "preprocessing", "training"})
    return hashlib.sha256((settings + source.fingerprint).encode()).hexdigest()


def _train_member(
    method: Method, recipe: Recipe, source: Source, held_out: Fields, out: Path, seed: int, tell: Callable[[str], None]
) -> MemberResult:
    training = method.training(recipe)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    path = checkpoint.member_path(out, method, seed)
    architecture = checkpoint.describe(method, recipe, source.lots)
    fingerprint = fingerprint_of(recipe, source)
    torch.manual_seed(seed)
    model = method.network(recipe, len(source.lots)).to(device).to(memory_format=torch.channels_last)
    if method.trained_on is not None and not path.exists():
        trained = out / f"{method.trained_on}-{seed}.pt"
        cast("HasTrunk", model).trunk.load_state_dict(checkpoint.load(trained, architecture | {"for": method.trained_on})["best"])
    optimiser = torch.optim.Adam(method.weights(model, training.learning_rate), weight_decay=training.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _course(training))
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
        # the generators depend on seed and step alone, so that a resumed run sees the crops and draws an undisturbed one would
        fields, labels = source.draw(training.batch, np.random.default_rng((seed, step)))
        torch.manual_seed(1_000_003 * seed + step)
        method.prepare(model, partial(_drawn, source, (seed, step, 1), device), step / training.steps)
        model.train()
        with torch.autocast(device.type, torch.bfloat16, enabled=training.autocast):
            batch = torch.from_numpy(fields).to(device, memory_format=torch.channels_last)
            loss = method.loss(model, batch, torch.from_numpy(labels).to(device))
        if not math.isfinite(loss.item()):
            reason = f"loss became {loss.item()} at step {step + 1}"
            raise EdgeAgentError(f"member {seed}", reason, f"lower learning_rate; the checkpoint before it is kept in {path}")
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves Tensor.backward untyped
        optimiser.step()
        schedule.step()
        if (step + 1) % training.check_every == 0 or step + 1 == training.steps:
            nll, accuracy = _check(method, model, held_out, device)
            state |= {"step": step + 1, "seconds": time.monotonic() - began, "architecture": architecture, "fingerprint": fingerprint}
            state |= {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "schedule": schedule.state_dict()}
            if nll < state["best_nll"]:
                best = {key: value.detach().clone() for key, value in model.state_dict().items()}
                state |= {"best": best, "best_nll": nll, "best_accuracy": accuracy, "best_step": step + 1}
            checkpoint.save(path, state)
            tell(f"member {seed} step {step + 1}/{training.steps} loss {loss.item():.4f} calibration nll {nll:.4f} accuracy {accuracy:.3f}")
    return MemberResult(seed, state["best_step"], state["best_nll"], state["best_accuracy"], state["seconds"])


def _drawn(source: Source, seed: tuple[int, ...], device: torch.device, count: int) -> tuple[Tensor, Tensor]:
    fields, labels = source.draw(count, np.random.default_rng(seed))
    return torch.from_numpy(fields).to(device), torch.from_numpy(labels).to(device)


def _course(training: Training) -> Callable[[int], float]:
    """The learning rate's factor by step: a linear rise, then half a cosine to zero."""
    rise = round(training.warm_up * training.steps)

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / (rise + 1)
        return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, training.steps - rise)))

    return factor


def _thinned(fields: Fields) -> Fields:
    count = len(fields[1])
    chosen = np.unique(np.linspace(0, count - 1, min(count, CHECKED_FIELDS)).astype(int))
    return fields[0][chosen], fields[1][chosen]


def _check(method: Method, model: nn.Module, held_out: Fields, device: torch.device) -> tuple[float, float]:
    """NLL in nats and accuracy on the calibration side, in single precision."""
    model.eval()
    with torch.inference_mode():
        batches = torch.split(torch.from_numpy(held_out[0]), 64)
        p = torch.cat([method.probabilities(model, batch.to(device, memory_format=torch.channels_last)).cpu() for batch in batches])
    truth = torch.from_numpy(held_out[1])
    nll = functional.nll_loss(torch.log(p.clamp_min(1e-12)), truth).item()
    return nll if math.isfinite(nll) else math.inf, (p.argmax(dim=1) == truth).float().mean().item()
