"""At which beam current the network has lost two points of accuracy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.drift.pool import Visit
from tests.benchmarks.drift.study import AGED_FRAMES, CURRENTS, FRAMES, aged

if TYPE_CHECKING:
    from tests.benchmarks.drift.library import Library

LOSS = 0.02
"""Of accuracy, from which on an ageing filament has done harm."""
REPLICATES = 1000


def accuracy_by_current(library: Library) -> dict[str, Any]:
    """Frames rightly named at each current, on the same samples as at the usual one, and where the loss passes LOSS.

    Returns:
        current, accuracy, loss, and the loss's standard error over samples, all from the usual current down; `critical`, the current at
        which the loss first passes LOSS, by linear interpolation, None where it never does.
    """
    found: list[tuple[float, float, float, float]] = []
    rng = np.random.default_rng(0)
    for current in CURRENTS:
        visits = [visit for visit in aged(current) if visit in library.rows and Visit(visit.lot, visit.sample, FRAMES) in library.rows]
        if not visits:
            continue
        now = np.array([_right(library, visit) for visit in visits])
        usual = np.array([_right(library, Visit(visit.lot, visit.sample, FRAMES)) for visit in visits])
        if not found:
            found.append((1.0, float(usual.mean()), 0.0, 0.0))
        drawn = rng.integers(0, len(visits), (REPLICATES, len(visits)))
        found.append((current, float(now.mean()), float((usual - now).mean()), float((usual - now)[drawn].mean(1).std())))
    currents, accuracy, loss, error = ([row[k] for row in found] for k in range(4))
    critical = None
    for k in range(1, len(loss)):
        if loss[k] >= LOSS:
            critical = currents[k - 1] + (LOSS - loss[k - 1]) / (loss[k] - loss[k - 1]) * (currents[k] - currents[k - 1])
            break
    return {"current": currents, "accuracy": accuracy, "loss": loss, "error": error, "critical": critical}


def samples_until(current: float, loss_a_sample: float) -> float:
    """Samples after which the current has fallen so far."""
    return math.log(current) / math.log(1.0 - loss_a_sample)


def _right(library: Library, visit: Visit) -> float:
    return float(np.mean([frame.score.lot == visit.lot for frame in library.of(visit)[:AGED_FRAMES]]))
