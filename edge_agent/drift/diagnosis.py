"""What a change seems to be: its kind, how sure that is, and the words for it."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from edge_agent.core.verdict import Kind
from edge_agent.drift.components import ACQUISITION, COMPONENTS, NETWORK
from edge_agent.drift.sample import FARTHEST_FRAME, PLACES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.drift.evidence import Sign
    from edge_agent.drift.sample import Held
    from edge_agent.drift.tables import LotTable, Vector

    Recent = Sequence[Held]

STANDARD = "Image the reference standard"
ACTIONS = {
    Kind.ACQUISITION_CHANGE: f"{STANDARD}; check filament, gain and focus; then re-base, or add to training by augmentation.",
    Kind.UNSEEN_LOT: f"Hold the predictions and send the sample for testing; add the lot as a class if it is new. {STANDARD} as well.",
    Kind.UNRELATED: f"Discard these frames: they show none of the known lots. {STANDARD} before going on.",
    Kind.DETECTOR_FAULT: f"Stop imaging and call service. {STANDARD} when the detector is back.",
    Kind.DEGRADED: (
        "Restart the model, or lay it out again, so that every member gives its known answer; until then only acquisition is judged. "
        f"{STANDARD} if this persists."
    ),
    Kind.UNDETERMINED: f"{STANDARD} and image the sample again; the frames alone do not tell what changed.",
}
"""What a lab does about each kind (Zhang, Kailkhura & Han 2021, "different types of shifts")."""

EXPLAINED = 0.6
"""Share of a sample's deviation that a known change must account for."""
UNEXPLAINED = 18.5
"""And the most it may leave: the 99 % point of chi-squared with seven degrees of freedom."""
FAR = 3.0
"""Standard deviations from which a component is out of place, once an alarm says that something is."""
NOTICED, NOTICED_OF_INFLATED = 2.5, 1.5
"""Standard deviations above the usual from which the network, too, notices a change that no acquisition explains."""
ASSORTED = 8.0
"""Variance of the acquisition from frame to frame, over the largest of any lot, from which frames have nothing in common."""
RUBBISH, FRAMES_OF_RUBBISH = 25.0, 4
"""From so much of it, over so many frames, an alarm is raised whatever the means say: calm samples reached 7, rubbish began at 35."""
FEWEST_STEPS = 3
MEDIAN_OF_CHI2 = 0.455
"""Of chi-squared with one degree of freedom."""
SIGNATURE_ERROR = 0.3
"""A known change's shift differs from sample to sample by about this share."""


SUBJECTS = {
    "entropy": "The entropy of the ensemble's answer",
    "mutual_information": "The disagreement between the members",
    "distance": "The distance from every lot the network knows",
    "mean": "The brightness",
    "log_sigma": "The contrast",
    "log_noise": "The noise",
    "log_sharpness": "The sharpness",
}
LAYERS = {"sample": "in this sample", "stream": "over several samples, in this one", "contrast": "in this sample's last frames"}
UNITS = {"sample": "samples", "stream": "samples", "contrast": "frames of one sample"}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A kind with its confidence; `strength` and `change` name the acquisition change it resembles, if any."""

    kind: Kind
    confidence: float
    change: str = ""
    strength: float = 0.0


def diagnose(recent: Recent, tables: Mapping[str, LotTable]) -> Diagnosis:
    """Tell kinds apart from the last frames of a sample.

    In order: frames that have nothing in common; what a known change of the acquisition explains; what the network finds
    far from every lot, or notices beside a change that no acquisition explains; any other change of the acquisition. Where the network
    says nothing, since every frame lacks members, such another change may as well be a lot that was never seen: undetermined.
    """
    assorted = dispersion(recent, tables)
    table, mean, variances = common_place(recent, tables)
    change, strength, explained, left = nearest_change(mean, variances, table)
    if assorted > ASSORTED:
        return Diagnosis(Kind.UNRELATED, _sure(assorted / ASSORTED))
    if explained >= EXPLAINED and left <= UNEXPLAINED:
        return Diagnosis(Kind.ACQUISITION_CHANGE, _sure(1.5 * explained / EXPLAINED), change, strength)
    far = max(mean[place] / math.sqrt(variances[place]) for place in NETWORK)
    strange = max(abs(mean[place]) / math.sqrt(variances[place]) for place in ACQUISITION)
    noticed = NOTICED_OF_INFLATED if table.is_inflated else NOTICED
    if far > FAR or (strange > FAR and far > noticed):
        return Diagnosis(Kind.UNSEEN_LOT, _sure(far / noticed))
    if strange > FAR and any(held.whole for held in recent):
        return Diagnosis(Kind.ACQUISITION_CHANGE, 0.5)
    return Diagnosis(Kind.UNDETERMINED, 0.5)


def common_place(recent: Recent, tables: Mapping[str, LotTable]) -> tuple[LotTable, Vector, list[float]]:
    """The commonest lot's table, the mean of its frames, and that mean's variance under calibration.

    A component that none of them tells has mean 0 and infinite variance: whatever it is, it neither is strange nor explains anything.
    """
    lot = Counter(held.lot for held in recent).most_common(1)[0][0]
    alike = [held for held in recent if held.lot == lot]
    table = tables[lot]
    mean, variances = [], []
    for place, shared in zip(PLACES, table.shared, strict=True):
        values = [held.vector[place] for held in alike if held.tells(place)]
        mean.append(sum(values) / len(values) if values else 0.0)
        variances.append(shared + (1.0 - shared) / len(values) if values else math.inf)
    return table, tuple(mean), variances


def dispersion(recent: Recent, tables: Mapping[str, LotTable]) -> float:
    """How little each frame has in common with the next: squared differences over channel A, over what they are within a sample.

    The median over the frames, so that one step from before a change to after it does not count (von Neumann 1941 has the mean).
    """
    if len(recent) < 2:
        return 0.0
    held_tables = [tables[held.lot] for held in recent]
    widest = held_tables[0].widest
    ratios = []
    for place in ACQUISITION:
        values = [table.centre[place] + held.vector[place] * table.scale[place] for table, held in zip(held_tables, recent, strict=True)]
        steps = [(after - before) ** 2 / 2 for before, after in pairwise(values)]
        typical = sum(steps) / len(steps) if len(steps) < FEWEST_STEPS else median(steps) / MEDIAN_OF_CHI2
        ratios.append(typical / widest[place] ** 2)
    return sum(ratios) / len(ratios)


def is_rubbish(recent: Recent, tables: Mapping[str, LotTable]) -> bool:
    """Whether frames have so little in common that no mean of them says anything."""
    return len(recent) >= FRAMES_OF_RUBBISH and dispersion(recent, tables) >= RUBBISH


def words_of_rubbish(recent: Recent, tables: Mapping[str, LotTable]) -> str:
    """One sentence for an alarm by that rule."""
    times = min(dispersion(recent, tables), 999.0)
    return f"The frames here have nothing in common: brightness, contrast, noise and sharpness vary {times:.0f} times as much as usual."


def nearest_change(mean: Vector, variances: Sequence[float], table: LotTable) -> tuple[str, float, float, float]:
    """The known change nearest to a sample's deviation, its strength, the share of the deviation it explains, and what it leaves."""
    nothing = sum(value**2 / variance for value, variance in zip(mean, variances, strict=True))
    best, best_change, best_strength = math.inf, "", 0.0
    for path in table.changes:
        for strength, place in _along(path.strengths, path.places):
            size = sum(
                (value - shift) ** 2 / (variance + (SIGNATURE_ERROR * shift) ** 2)
                for value, shift, variance in zip(mean, place, variances, strict=True)
            )
            if size < best:
                best, best_change, best_strength = size, path.change, strength
    return best_change, round(best_strength, 2), max(0.0, 1.0 - best / nothing) if nothing > 0 else 0.0, best


def words(sign: Sign, table: LotTable, diagnosis: Diagnosis, recent: Recent) -> str:
    """One sentence: which component left its normal range, by how much, and what that resembles.

    Frames are cut off (see sample.py), so that the size of a change beyond that is a lower limit.
    """
    least = "at least " if any(abs(held.vector[sign.place]) > FARTHEST_FRAME for held in recent) else ""
    amount = f"{least}{abs(sign.score):.1f} standard deviations {'above' if sign.score > 0 else 'below'} what {table.lot}"
    like = f"; it resembles a {diagnosis.change} of strength {diagnosis.strength:.1f}" if diagnosis.change else ""
    return f"{SUBJECTS[COMPONENTS[sign.place]]} {LAYERS[sign.layer]} is {amount} {UNITS[sign.layer]} show{like}."


def _along(strengths: Sequence[float], places: Sequence[Vector]) -> list[tuple[float, Vector]]:
    """Five points on each stretch of a path."""
    points = []
    for begin, end, first, last in zip(strengths, strengths[1:], places, places[1:], strict=False):
        for part in (0.2, 0.4, 0.6, 0.8, 1.0):
            place = tuple(low + part * (high - low) for low, high in zip(first, last, strict=True))
            points.append((begin + part * (end - begin), place))
    return points


def _sure(excess: float) -> float:
    """From how far a rule's limit is passed to a confidence between 0.5 and 0.99."""
    return round(min(0.99, 1.0 - 0.5 / max(excess, 1.0)), 2)
