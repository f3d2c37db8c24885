"""Fits a calibration: how frames scatter within a sample, how samples scatter within a lot, and how sure that is."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from edge_agent.drift.calibration import SAMPLES_FOR_A_GUARANTEE, Calibration, LotCalibration, Signature, Spread
from edge_agent.drift.components import COMPONENTS, NETWORK, component_values
from edge_agent.drift.moderation import Prior
from edge_agent.drift.strata import UNRECORDED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge_agent.core.frame import AcquisitionStatistics
    from edge_agent.core.prediction import Score

BLOCK = 8
"""Frames in either half of a within-sample contrast."""
FEWEST_DEGREES = 3
"""Below this many degrees of freedom a lot's own between-sample spread is not believed without the other lots'."""
FLOOR = {"mean": 0.01, "log_sigma": 0.03, "log_noise": 0.03, "log_sharpness": 0.03, "distance": 0.05}
"""Spreads below these are better than any instrument repeats itself; entropies' logarithms take 0.1."""
SURE = 5.0
"""With samples enough, spreads are believed down to this share of the floor."""
LEAST_SHARE = 0.1
"""Of the variance of sample means, at least so much is taken to lie between samples."""
CHI2_LOWER_TENTH = (
    0.01579, 0.21072, 0.58437, 1.06362, 1.61031, 2.20413, 2.83311, 3.48954, 4.16816, 4.86518,
    5.57778, 6.30380, 7.04150, 7.78953, 8.54676, 9.31224, 10.08519, 10.86494, 11.65091, 12.44261,
)  # fmt: skip
"""Lower 10 % point of chi-squared with 1, 2, ... degrees of freedom."""


@dataclass(frozen=True, slots=True)
class CalibrationFrame:
    """One frame known to be normal; frames of one sample come in the order they were taken.

    Attributes:
        lot: the true lot.
        group: what is independent of every other group (a spot, a specimen, a scan).
        sample: one visit of the stage; several samples may share a group.
        score: None for a frame the network was trained on: then only its acquisition counts.
        statistics: of the full-resolution frame.
        stratum: the settings it was taken at, see `edge_agent.drift.strata`.
    """

    lot: str
    group: str
    sample: str
    score: Score | None
    statistics: AcquisitionStatistics
    stratum: str = UNRECORDED


@dataclass(frozen=True, slots=True)
class AlteredFrames:
    """The same scored calibration frames under a known change of the acquisition."""

    change: str
    strength: float
    frames: Sequence[CalibrationFrame]


def fit_calibration(
    frames: Iterable[CalibrationFrame], altered: Iterable[AlteredFrames] = (), *, model_digest: str, members: int, source: str
) -> Calibration:
    """Fit every lot's tables, spreads and signatures, stratum by stratum; raise ValueError when no frame of a lot has a score.

    The stratum with the most samples comes first; in the others, lots without a scored frame are left out.
    """
    held: dict[str, list[CalibrationFrame]] = defaultdict(list)
    for frame in frames:
        held[frame.stratum].append(frame)
    if not held:
        raise ValueError("no scored frames of any lot: calibrate on frames the network was not trained on")
    changes = list(altered)
    first = max(held, key=lambda stratum: (len({(frame.lot, frame.group) for frame in held[stratum]}), stratum))
    return Calibration(
        model_digest=model_digest,
        members=members,
        source=source,
        stratum=first,
        lots=_fit_stratum(held.pop(first), _at(changes, first)),
        strata={
            stratum: _fit_stratum(scored, _at(changes, stratum)) for stratum in sorted(held) if (scored := _scored_lots(held[stratum]))
        },
    )


def _at(changes: list[AlteredFrames], stratum: str) -> list[AlteredFrames]:
    """Altered frames of one stratum."""
    found = (AlteredFrames(one.change, one.strength, [frame for frame in one.frames if frame.stratum == stratum]) for one in changes)
    return [one for one in found if one.frames]


def _scored_lots(frames: list[CalibrationFrame]) -> list[CalibrationFrame]:
    scored = {frame.lot for frame in frames if frame.score is not None}
    return [frame for frame in frames if frame.lot in scored]


def _fit_stratum(frames: list[CalibrationFrame], changes: list[AlteredFrames]) -> dict[str, LotCalibration]:
    by_lot: dict[str, list[CalibrationFrame]] = defaultdict(list)
    for frame in frames:
        by_lot[frame.lot].append(frame)
    unscored = sorted(lot for lot, held in by_lot.items() if all(frame.score is None for frame in held))
    if unscored:
        raise ValueError(f"no scored frames of {', '.join(unscored)}: calibrate on frames the network was not trained on")
    spreads, as_predicted = _spreads({lot: by_lot[lot] for lot in sorted(by_lot)}), _spreads(_taken_for(by_lot))
    return {
        lot: _fit_lot(by_lot[lot], spreads[lot], as_predicted.get(lot), _signatures(lot, by_lot[lot], changes)) for lot in sorted(by_lot)
    }


def _taken_for(by_lot: Mapping[str, list[CalibrationFrame]]) -> dict[str, list[CalibrationFrame]]:
    """Scored samples by the lot that most of their frames were given; lots given too rarely are left out."""
    taken: dict[str, list[CalibrationFrame]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for frames in by_lot.values():
        visits: dict[tuple[str, str], list[CalibrationFrame]] = defaultdict(list)
        for frame in frames:
            if frame.score is not None:
                visits[frame.group, frame.sample].append(frame)
        for visit in visits.values():
            lot = Counter(frame.score.lot for frame in visit if frame.score is not None).most_common(1)[0][0]
            counts[lot] += 1
            taken[lot] += visit
    return {lot: taken[lot] for lot in sorted(taken) if lot in by_lot and counts[lot] >= SAMPLES_FOR_A_GUARANTEE}


def _spreads(by_lot: Mapping[str, list[CalibrationFrame]]) -> dict[str, dict[str, Spread]]:
    """Every lot's spreads, each component's moderated by the other lots'."""
    found: dict[str, dict[str, Spread]] = {lot: {} for lot in by_lot}
    for place, name in enumerate(COMPONENTS):
        samples = {lot: _Samples.of(frames, place) for lot, frames in by_lot.items()}
        pooled = _pool(list(samples.values()))
        for lot, held in samples.items():
            found[lot][name] = held.spread(pooled, FLOOR.get(name, 0.1))
    return found


def _fit_lot(
    frames: list[CalibrationFrame], spread: dict[str, Spread], as_predicted: dict[str, Spread] | None, signatures: tuple[Signature, ...]
) -> LotCalibration:
    scores = [frame.score for frame in frames if frame.score is not None]
    distances, weights = _weighed_distances(frames)
    return LotCalibration(
        samples=len({frame.group for frame in frames if frame.score is not None}),
        acquisition_samples=len({frame.group for frame in frames}),
        frames=len(scores),
        distance=distances,
        entropy=tuple(sorted(round(score.entropy, 6) for score in scores)),
        mutual_information=tuple(sorted(round(score.mutual_information, 6) for score in scores)),
        distance_weight=weights,
        spread=spread,
        spread_as_predicted=as_predicted,
        limit_fraction=round(max(frame.statistics.low_fraction + frame.statistics.high_fraction for frame in frames), 6),
        signatures=signatures,
    )


def _weighed_distances(frames: list[CalibrationFrame]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Distances, ascending, and their weights, none when every group has as many frames: each group weighs one."""
    held = Counter(frame.group for frame in frames if frame.score is not None)
    pairs = sorted((round(frame.score.distance, 6), round(1 / held[frame.group], 9)) for frame in frames if frame.score is not None)
    distances, weights = zip(*pairs, strict=True)
    return distances, weights if len(set(held.values())) > 1 else ()


@dataclass(frozen=True, slots=True)
class _Pooled:
    """What all lots' samples say of one component.

    Attributes:
        between, degrees: variance of sample means, and its degrees of freedom.
        prior: how lots with samples enough for a guarantee differ in it.
    """

    between: float
    degrees: int
    prior: Prior


@dataclass(frozen=True, slots=True)
class _Samples:
    """One component in one lot: every sample's frames, in order, and the number of independent groups."""

    frames: tuple[tuple[float, ...], ...]
    groups: int

    @classmethod
    def of(cls, frames: list[CalibrationFrame], place: int) -> _Samples:
        samples: dict[tuple[str, str, str], list[float]] = defaultdict(list)
        groups = set()
        for frame in frames:
            value = _value(frame, place)
            if value is not None:
                samples[frame.lot, frame.group, frame.sample].append(value)
                groups.add((frame.lot, frame.group))
        return cls(tuple(tuple(held) for held in samples.values()), len(groups))

    @property
    def means(self) -> list[float]:
        return [fmean(held) for held in self.frames]

    @property
    def degrees(self) -> int:
        return len(self.frames) - 1

    @property
    def is_enough(self) -> bool:
        return self.groups >= SAMPLES_FOR_A_GUARANTEE

    @property
    def between(self) -> float:
        """Variance of the sample means, which holds a share of the variance within as well."""
        return _variance(self.means) if self.degrees > 0 else 0.0

    def spread(self, pooled: _Pooled, floor: float) -> Spread:
        within = math.sqrt(fmean([_variance(held) for held in self.frames if len(held) > 1] or [0.0]))
        expected = math.sqrt(2.0 / BLOCK) * within
        contrasts = [fmean(held[k : k + BLOCK]) - fmean(held[:BLOCK]) for held in self.frames for k in range(BLOCK, len(held) - BLOCK + 1)]
        realised = math.sqrt(fmean([contrast**2 for contrast in contrasts] or [0.0]) * inflation(max(1, len(self.frames))))
        if self.is_enough:
            of_means, degrees = pooled.prior.moderate(self.between, self.degrees)
            share = within**2 * fmean(1.0 / len(held) for held in self.frames)
            between = math.sqrt(max(of_means - share, LEAST_SHARE * of_means))
            error, freedom, floor = math.sqrt(of_means / self.groups), round(degrees, 2), floor / SURE
        else:
            between, error, freedom = self._inflated(pooled), 0.0, None
        return Spread(
            centre=round(fmean(self.means), 6),
            within=round(max(within, floor), 6),
            between=round(max(between, floor), 6),
            contrast=round(max(expected, realised, floor), 6),
            centre_error=round(error, 6),
            degrees=freedom,
        )

    def _inflated(self, pooled: _Pooled) -> float:
        """From too few samples, on the safe side."""
        if self.degrees >= FEWEST_DEGREES or self.degrees >= pooled.degrees:
            between, degrees = self.between, self.degrees
        else:
            between, degrees = max(self.between, pooled.between), pooled.degrees
        return math.sqrt(between * inflation(degrees) * (1.0 + 1.0 / self.groups))


def inflation(degrees: int) -> float:
    """Factor on a variance estimated with `degrees` of freedom that covers the true one in 9 cases of 10."""
    if degrees < 1:
        return 1.0 / CHI2_LOWER_TENTH[0]
    if degrees <= len(CHI2_LOWER_TENTH):
        return degrees / CHI2_LOWER_TENTH[degrees - 1]
    # Wilson & Hilferty's cube-root approximation, good to a part in a thousand from here on.
    ninth = 2.0 / (9.0 * degrees)
    return 1.0 / (1.0 - ninth - 1.2816 * math.sqrt(ninth)) ** 3


def _pool(lots: list[_Samples]) -> _Pooled:
    degrees = sum(max(0, lot.degrees) for lot in lots)
    total = sum(lot.between * max(0, lot.degrees) for lot in lots)
    enough = [lot for lot in lots if lot.is_enough]
    prior = Prior.of([lot.between for lot in enough], [lot.degrees for lot in enough])
    return _Pooled(total / degrees if degrees else 0.0, degrees, prior)


def _signatures(lot: str, frames: list[CalibrationFrame], changes: list[AlteredFrames]) -> tuple[Signature, ...]:
    """What each change does to the samples it was shown on; samples that were not seen before it are compared with the whole lot."""
    usual = [frame for frame in frames if frame.score is not None]
    found = []
    for change in changes:
        altered = [frame for frame in change.frames if frame.lot == lot]
        shown = {(frame.group, frame.sample) for frame in altered}
        twins = [frame for frame in usual if (frame.group, frame.sample) in shown]
        paired = {(frame.group, frame.sample) for frame in twins} == shown
        before, after = _mean_values(twins if paired else usual), _mean_values(altered)
        shift = tuple(round(now - then, 6) for now, then in zip(after, before, strict=True))
        found.append(Signature(change=change.change, strength=change.strength, shift=shift))
    return tuple(found)


def _mean_values(frames: Iterable[CalibrationFrame]) -> list[float]:
    samples: Mapping[tuple[str, str], list[tuple[float, ...]]] = defaultdict(list)
    for frame in frames:
        if frame.score is None:
            raise ValueError(f"an altered frame of {frame.lot} has no score")
        samples[frame.group, frame.sample].append(component_values(frame.score, frame.statistics))
    means = [[fmean(column) for column in zip(*held, strict=True)] for held in samples.values()]
    if not means:
        raise ValueError("a change of the acquisition was shown for some lots only")
    return [fmean(column) for column in zip(*means, strict=True)]


def _value(frame: CalibrationFrame, place: int) -> float | None:
    if frame.score is not None:
        return component_values(frame.score, frame.statistics)[place]
    if place in NETWORK:
        return None
    return float(getattr(frame.statistics, COMPONENTS[place]))


def _variance(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    middle = fmean(values)
    return sum((value - middle) ** 2 for value in values) / (len(values) - 1)
