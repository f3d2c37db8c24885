"""The two regressions from data to report: formation enthalpy from composition, and the sinusoid."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from model_repo import pages
from model_repo.regression import composition_page, pictures, sinusoid, sinusoid_page
from model_repo.regression.composition import FILE_NAME, RULE, SIDES, SPLIT_SEED, Side, SplitCompounds, read_compounds, split_by_system
from model_repo.regression.elemnet import WIDTHS, Schedule
from model_repo.regression.machine import machine
from model_repo.regression.members import train_members
from model_repo.regression.methods import HEAD_EPOCHS, HELD_OUT_EPOCHS, INDUCING, Answered, answer_all
from model_repo.regression.scores import LEVELS, Scores, score
from model_repo.regression.slices import slices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

MEMBER_SEEDS = (1, 2, 3, 4, 5)
EVALUATION_SEED = 7
SINUSOID_SEEDS = (1, 2, 3)
SINUSOID_INDUCING = (10, 50, 100)


def run_composition(
    data: Path,
    out: Path,
    work: Path,
    *,
    seeds: Sequence[int] = MEMBER_SEEDS,
    schedule: Schedule | None = None,
    tell: Callable[[str], None] = print,
) -> Path:
    """Train, answer and score on compounds; write `out`/figures.json, the pictures and the page `out`.md, and return the page.

    Args:
        data: the folder that holds the table of compounds.
        out: the report's folder.
        work: where trained members are kept and, after an interruption, taken up again.
        seeds: of the members.
        schedule: of their training.
        tell: is told what goes on.

    Raises:
        EdgeAgentError: a table that cannot be used, a diverging training, a damaged or foreign file in `work`.
    """
    schedule = schedule or Schedule()
    with _one_thread():
        split = split_by_system(read_compounds(data / FILE_NAME))
        tensors = {side: _tensors(split, side) for side in SIDES}
        members = train_members(tensors["train"], tensors["validation"], seeds, schedule, work, tell)
        trained = time.monotonic()
        answers = answer_all(members, tensors["train"], tensors["validation"], tensors["test"][0], seed=EVALUATION_SEED, tell=tell)
        test = split.sides["test"]
        rng = np.random.default_rng(EVALUATION_SEED)
        scored = [score(test.enthalpy_ev, row.test.mean, row.test.variance, test.systems, rng) for row in answers]
    best = min(range(len(answers)), key=lambda k: scored[k].figures["nll"].value)
    figures = {
        **_data(split),
        "members": [{"seed": m.seed, "validation_mae": m.validation_mae, "seconds": m.seconds} for m in members],
        "widths": list(WIDTHS),
        "schedule": asdict(schedule),
        "head": {"inducing": INDUCING, "epochs": HEAD_EPOCHS, "held_out_epochs": HELD_OUT_EPOCHS},
        "evaluation_seed": EVALUATION_SEED,
        "methods": [_method(row, found) for row, found in zip(answers, scored, strict=True)],
        "best": answers[best].name,
        "slices": slices(test, answers[best].test),
        "machine": machine(),
        "rest_seconds": time.monotonic() - trained,
    }
    pictures.draw_composition(test.enthalpy_ev, answers, scored, best, out)
    return pages.write(out, figures, composition_page.lines(figures, out.name))


def run_sinusoid(
    out: Path,
    *,
    seeds: Sequence[int] = SINUSOID_SEEDS,
    inducing: Sequence[int] = SINUSOID_INDUCING,
    steps: int = 1000,
    tell: Callable[[str], None] = print,
) -> Path:
    """Fit the sinusoid with each number of inducing points, with and without a network; write the report and return its page."""
    began = time.monotonic()
    fits = []
    with _one_thread():
        for with_network in (True, False):
            for count in inducing:
                for seed in seeds:
                    fits.append(sinusoid.fit(count, seed, with_network=with_network, steps=steps))
                    tell(f"{fits[-1].model}, {count} inducing points, seed {seed}: RMSE {fits[-1].rmse:.3f}, {fits[-1].seconds:.0f} s")
    figures = {
        "fits": [{key: value for key, value in asdict(fit).items() if key not in {"grid", "mean", "band"}} for fit in fits],
        "steps": steps,
        "machine": machine(),
        "seconds": time.monotonic() - began,
    }
    pictures.draw_sinusoid(fits, out)
    return pages.write(out, figures, sinusoid_page.lines(figures, out.name))


def _data(split: SplitCompounds) -> dict[str, Any]:
    """The figures of the data: counts by side, the rule, and how far off a guess of the training mean would be."""
    train, test = split.sides["train"].enthalpy_ev, split.sides["test"].enthalpy_ev
    return {
        "counts": {
            side: {"compounds": len(found), "systems": len(set(found.systems)), "dropped": split.dropped[side]}
            for side, found in split.sides.items()
        },
        "elements": len(split.elements),
        "rule": RULE,
        "split_seed": SPLIT_SEED,
        "mean_absolute_deviation": float(np.abs(test - train.mean()).mean()),
    }


def _tensors(split: SplitCompounds, side: Side) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(split.inputs(side)), torch.from_numpy(split.sides[side].enthalpy_ev).float()


def _method(row: Answered, found: Scores) -> dict[str, Any]:
    return {
        "name": row.name,
        "figures": {name: asdict(figure) for name, figure in found.figures.items()},
        "fitted": row.fitted,
        "fitting_s": row.fitting_s,
        "observed": {f"{level:.2f}": float(share) for level, share in zip(LEVELS, found.observed, strict=True)},
        "bins": found.bins.tolist(),
    }


@contextmanager
def _one_thread() -> Iterator[None]:
    """More threads would only fight with each other over matrices this small, and with other work on the machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
