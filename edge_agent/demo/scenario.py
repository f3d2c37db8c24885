"""What the demo injects: which samples are wrong, in what way, and how each carries its label."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.core.verdict import Kind
from edge_agent.simulate import plan_samples

if TYPE_CHECKING:
    from edge_agent.simulate import Micrographs, PlannedSample

FRAMES_A_SAMPLE = 12
SAMPLES = 13
FILAMENT = {3: 1.0, 6: 0.0}
"""The paper's filament change, for one sample of each lot."""
UNSEEN = 8
UNRELATED = 10
MISLABELLED_AS = "superalloy"
"""The label under which the unseen lot arrives. Under ebc's it could not be told: the calibration knows few specimens of
ebc, and they differ from each other as much as they do from it."""
EXPECTED = {
    "filament": frozenset({Kind.ACQUISITION_CHANGE}),
    "unseen": frozenset({Kind.UNSEEN_LOT}),
    "unrelated": frozenset({Kind.UNRELATED, Kind.DETECTOR_FAULT}),
}
"""The kinds that name an injected shift rightly."""
NAMES = {"filament": "filament change", "unseen": "unseen lot", "unrelated": "rubbish"}


@dataclass(frozen=True, slots=True)
class Injection:
    """One shift: what it is, and its first and last frame in the order of imaging."""

    shift: str
    first: int
    last: int

    @property
    def name(self) -> str:
        """The shift in words."""
        return NAMES[self.shift]


def plan_demo(micrographs: Micrographs, seed: int) -> tuple[PlannedSample, ...]:
    """Normal, filament change, normal, an unseen lot, normal, rubbish, normal; `seed` draws images and their order.

    Every sample carries a label, as on a sample sheet: the true lot, but for the unseen one and the rubbish.
    """
    rng = np.random.default_rng(seed)
    plan = plan_samples(micrographs, SAMPLES, rng, filament=FILAMENT, unseen=[UNSEEN], unrelated=[UNRELATED])
    known = list(micrographs.known)
    labels = {"unseen": MISLABELLED_AS, "unrelated": known[int(rng.integers(len(known)))]}
    return tuple(dataclasses.replace(planned, label=labels.get(planned.shift or "", planned.lot)) for planned in plan)


def injections(plan: tuple[PlannedSample, ...], frames: int) -> tuple[Injection, ...]:
    """The plan's runs of equal shifts."""
    found: list[Injection] = []
    for place, planned in enumerate(plan):
        if planned.shift is None:
            continue
        first, last = place * frames, (place + 1) * frames - 1
        if found and found[-1].shift == planned.shift and found[-1].last == first - 1:
            found[-1] = Injection(planned.shift, found[-1].first, last)
        else:
            found.append(Injection(planned.shift, first, last))
    return tuple(found)
