"""What the material can carry: samples a lot, what is too few, and what looks wrong."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from statistics import NormalDist, fmean, variance
from typing import TYPE_CHECKING

from edge_agent.drift import COMPONENTS, SAMPLES_FOR_A_GUARANTEE, component_values, stratum_of
from edge_agent.drift.normal_score import normal_score

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge_agent.calibrating.material import Material, NormalFrame, SampleKey

RECOMMENDED = 16
"""Samples a lot from which the realised false-alarm rate is near the promised one."""
FEWEST_OTHERS = 3
"""Samples that a sample is compared with at least."""
FALSE_SUSPICION = 0.01
"""Chance that a lot of like samples has one that is called strange."""
NAMED = 5
"""Lots that are named where many have no sample."""
NAMES = dict(
    zip(
        COMPONENTS,
        ("entropy", "mutual information", "distance from the training set", "brightness", "contrast", "noise", "sharpness"),
        strict=True,
    )
)


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A sample that looks wrong, and why."""

    sample: SampleKey
    why: str

    def __str__(self) -> str:
        return f"sample {self.sample[1]} of lot {self.sample[0]}: {self.why}"


def table(material: Material) -> Iterator[tuple[str, int, int, str]]:
    """A row a lot: its name, samples, frames, and what is too few of it."""
    for lot, samples in material.lots.items():
        yield lot, len(samples), sum(len(material.samples[key]) for key in samples), lack(len(samples))


def settings_of(material: Material) -> Iterator[str]:
    """The settings that frames were taken at, each with its lots and their samples; what a calibration will hold for."""
    held: dict[str, dict[str, set[str]]] = {}
    for (lot, sample), frames in sorted(material.samples.items()):
        for frame in frames:
            held.setdefault(stratum_of(frame.observation.acquisition), {}).setdefault(lot, set()).add(sample)
    for stratum, lots in sorted(held.items(), key=lambda pair: (-sum(map(len, pair[1].values())), pair[0])):
        counts = ", ".join(f"{lot} {len(samples)}" for lot, samples in sorted(lots.items()))
        yield f"settings {stratum or 'that the frames do not record'}: samples of {counts}"


def lack(samples: int) -> str:
    """What so many samples of a lot are too few for; "" when they are enough.

    >>> lack(4)
    'no guarantee: image 2 more samples for one, 12 more as recommended'
    """
    if samples < SAMPLES_FOR_A_GUARANTEE:
        return f"no guarantee: image {SAMPLES_FOR_A_GUARANTEE - samples} more samples for one, {RECOMMENDED - samples} more as recommended"
    return f"{RECOMMENDED - samples} more samples are recommended" if samples < RECOMMENDED else ""


def strangers(material: Material, lots: Sequence[str]) -> Iterator[str]:
    """Lots that the model knows and the material lacks, and the other way round, with what follows."""
    if lacking := sorted(set(lots) - set(material.lots)):
        more = f" and {len(lacking) - NAMED} more" if len(lacking) > NAMED else ""
        named = f"lot {lacking[0]}" if len(lacking) == 1 else f"{len(lacking)} lots ({', '.join(lacking[:NAMED])}{more})"
        yield f"{named}: no sample; frames that are taken for {'it' if len(lacking) == 1 else 'them'} will be scored, but not judged"
    for lot in sorted(set(material.lots) - set(lots)):
        yield f"lot {lot}: the model does not know it; its frames are judged by it only where the stream declares their lot"


def suspicions(material: Material, lots: Sequence[str]) -> Iterator[Suspicion]:
    """Samples that the model takes for another lot, and samples far from their lot's others."""
    for lot, samples in material.lots.items():
        values = {key: [_values(frame) for frame in material.samples[key]] for key in samples}
        for key in samples:
            if (taken := _taken_for(material.samples[key], lot, lots)) or (taken := _far(key, values)):
                yield Suspicion(key, taken)


def _values(frame: NormalFrame) -> tuple[float, ...]:
    return component_values(frame.observation.score, frame.observation.statistics)


def _taken_for(frames: list[NormalFrame], lot: str, lots: Sequence[str]) -> str:
    """Which other lot the model takes most of the sample's frames for, in words, or ""."""
    taken, number = Counter(frame.observation.score.lot for frame in frames).most_common(1)[0]
    if lot not in lots or taken == lot or 2 * number <= len(frames):
        return ""
    return f"the model takes {number} of its {len(frames)} frames for {taken}"


def _far(key: SampleKey, values: dict[SampleKey, list[tuple[float, ...]]]) -> str:
    """In which component the sample's mean lies farthest from the other samples' means, in words, or "" when it could be one of them.

    A two-sided t test of a new observation, Bonferroni over components and samples. Samples' means scatter at least as much as their
    frames' scatter makes them.
    """
    others = [held for other, held in values.items() if other != key]
    if len(others) < FEWEST_OTHERS:
        return ""
    limit = NormalDist().inv_cdf(1 - FALSE_SUSPICION / (2 * len(COMPONENTS) * len(values)))
    worst, said = limit, ""
    for place, name in enumerate(COMPONENTS):
        means = [fmean(vector[place] for vector in held) for held in others]
        own = fmean(vector[place] for vector in values[key])
        within = fmean([variance([vector[place] for vector in held]) / len(held) for held in others if len(held) > 1] or [0.0])
        spread = math.sqrt(max(variance(means), within) * (1 + 1 / len(means)))
        if spread == 0.0:
            continue
        score = normal_score((own - fmean(means)) / spread, len(means) - 1)
        if abs(score) > worst:
            worst = abs(score)
            side = "higher" if score > 0 else "lower"
            said = f"its {NAMES[name]} is {side} than the lot's other samples' by {worst:.1f} standard deviations"
    return said
