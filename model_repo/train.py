"""Train a recipe's members one after the other; each is resumed where an interruption left it."""

from __future__ import annotations

import hashlib
import json
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
    return [MemberTraining(method, recipe, source, out, seed).run(held_out, tell) for seed in seeds or recipe.training.seeds]


def fingerprint_of(method: Method, recipe: Recipe, source: Source) -> str:
    """SHA-256 of what a member's training depends on, its seed apart; a checkpoint of another is not gone on with and not served."""
    settings = {
        "network": recipe.network.model_dump(),
        "preprocessing": recipe.preprocessing.model_dump(),
        "training": method.training(recipe).model_dump(exclude={"seeds"}),
        "method": {name: getattr(recipe.method, name) for name in method.shaped_by},
        "source": source.fingerprint,
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


class MemberTraining:
    """One member on its way, from its first step or from where its checkpoint left it.

    Raises:
        EdgeAgentError: the checkpoint is damaged, of another architecture, or of another recipe or source.
    """

    def __init__(self, method: Method, recipe: Recipe, source: Source, out: Path, seed: int) -> None:
        self._method = method
        self._source = source
        self._seed = seed
        self._training = method.training(recipe)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._path = checkpoint.member_path(out, method, seed)
        self._architecture = checkpoint.describe(method, recipe, source.lots)
        self._fingerprint = fingerprint_of(method, recipe, source)
        torch.manual_seed(seed)
        self._model = method.network(recipe, len(source.lots)).to(self._device).to(memory_format=torch.channels_last)
        weights = method.weights(self._model, self._training.learning_rate)
        self._optimiser = torch.optim.Adam(weights, weight_decay=self._training.weight_decay)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimiser, _course(self._training))
        self._state: dict[str, Any] = {"step": 0, "best_nll": math.inf, "seconds": 0.0}
        if self._path.exists():
            self._resume()
        elif method.trained_on is not None:
            self._fill_trunk(METHODS[method.trained_on], recipe, out)

    def _fill_trunk(self, first: Method, recipe: Recipe, out: Path) -> None:
        path = checkpoint.member_path(out, first, self._seed)
        trained = checkpoint.load(path, checkpoint.describe(first, recipe, self._source.lots))
        if trained["fingerprint"] != fingerprint_of(first, recipe, self._source):
            raise EdgeAgentError(str(path), "was made by another recipe or split", "train it again")
        cast("HasTrunk", self._model).trunk.load_state_dict(trained["best"])

    def run(self, held_out: Fields, tell: Callable[[str], None]) -> MemberResult:
        """Take the steps that are left, looking at the calibration side now and then; each look is kept on disk."""
        steps, every = self._training.steps, self._training.check_every
        began = time.monotonic() - self._state["seconds"]
        for step in range(self._state["step"], steps):
            loss = self._step(step)
            if (step + 1) % every == 0 or step + 1 == steps:
                nll, accuracy = self._look(held_out)
                self._keep(step + 1, nll, accuracy, time.monotonic() - began)
                said = f"loss {loss:.4f} calibration nll {nll:.4f} accuracy {accuracy:.3f}"
                tell(f"member {self._seed} step {step + 1}/{steps} {said}")
        state = self._state
        return MemberResult(self._seed, state["best_step"], state["best_nll"], state["best_accuracy"], state["seconds"])

    def _resume(self) -> None:
        self._state = checkpoint.load(self._path, self._architecture)
        if self._state["fingerprint"] != self._fingerprint:
            raise EdgeAgentError(str(self._path), "was made by another recipe or split", "choose another --out or delete it")
        self._model.load_state_dict(self._state["model"])
        self._optimiser.load_state_dict(self._state["optimiser"])
        self._schedule.load_state_dict(self._state["schedule"])

    def _step(self, step: int) -> float:
        """One optimisation step; its generators depend on seed and step alone, so that a resumed run sees what an undisturbed one would."""
        fields, labels = self._draw((self._seed, step), self._training.batch)
        torch.manual_seed(1_000_003 * self._seed + step)
        self._model.train()
        self._method.prepare(self._model, partial(self._draw, (self._seed, step, 1)), step / self._training.steps)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._training.autocast):
            loss = self._method.loss(self._model, fields.to(memory_format=torch.channels_last), labels)
        if not math.isfinite(loss.item()):
            reason = f"loss became {loss.item()} at step {step + 1}"
            raise EdgeAgentError(f"member {self._seed}", reason, f"lower learning_rate; the checkpoint before it is kept in {self._path}")
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves Tensor.backward untyped
        self._optimiser.step()
        self._schedule.step()
        return loss.item()

    def _draw(self, seed: tuple[int, ...], count: int) -> tuple[Tensor, Tensor]:
        fields, labels = self._source.draw(count, np.random.default_rng(seed))
        return torch.from_numpy(fields).to(self._device), torch.from_numpy(labels).to(self._device)

    def _look(self, held_out: Fields) -> tuple[float, float]:
        """NLL in nats and accuracy on the calibration side, in single precision."""
        self._model.eval()
        with torch.inference_mode():
            batches = torch.split(torch.from_numpy(held_out[0]), 64)
            answers = [
                self._method.probabilities(self._model, batch.to(self._device, memory_format=torch.channels_last)) for batch in batches
            ]
        p, truth = torch.cat(answers).cpu(), torch.from_numpy(held_out[1])
        nll = functional.nll_loss(torch.log(p.clamp_min(1e-12)), truth).item()
        return nll if math.isfinite(nll) else math.inf, (p.argmax(dim=1) == truth).float().mean().item()

    def _keep(self, step: int, nll: float, accuracy: float, seconds: float) -> None:
        state = self._state
        state |= {"step": step, "seconds": seconds, "architecture": self._architecture, "fingerprint": self._fingerprint}
        state |= {"model": self._model.state_dict(), "optimiser": self._optimiser.state_dict(), "schedule": self._schedule.state_dict()}
        if nll < state["best_nll"] and self._method.settled(self._model):
            best = {key: value.detach().clone() for key, value in self._model.state_dict().items()}
            state |= {"best": best, "best_nll": nll, "best_accuracy": accuracy, "best_step": step}
        checkpoint.save(self._path, state)


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
