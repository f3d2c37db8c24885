"""Estimates a re-base from the samples of a condition; see `edge_agent.drift.baseline` for what is made of it."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from edge_agent.drift.baseline import Move, Rebase, strata_of, tells_no_stratum
from edge_agent.drift.calibration import SAMPLES_FOR_A_GUARANTEE
from edge_agent.drift.components import COMPONENTS
from edge_agent.drift.fit import inflation
from edge_agent.drift.judge import CHANGED
from edge_agent.drift.strata import UNRECORDED
from edge_agent.drift.tables import MOST_COUNTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge_agent.drift.calibration import Calibration, LotCalibration

SAMPLES_TO_REBASE = 20
"""Samples since the change that a re-base needs, and as many after it until it is no longer provisional."""
PSEUDO_SAMPLES = 8
"""Samples that the calibration counts for beside the new ones."""
SAMPLES_FOR_A_LOT = SAMPLES_FOR_A_GUARANTEE
"""Samples from which a lot gets an offset and a scale of its own."""
WIDEST = 3.0
"""A spread this many times the calibration's shows more than one condition: a baseline that wide would see nothing any more."""
Cell: TypeAlias = tuple[str, str]
"""A stratum and a lot."""


@dataclass(frozen=True, slots=True)
class BaselineFrame:
    """One frame of the condition that shall be usual from now on.

    Attributes:
        lot: the declared lot, else the predicted one.
        sample: its sample's name; None where the stream tells none.
        values: its components, in the order of COMPONENTS.
        is_declared: whether somebody declared the lot.
        stratum: the settings it was taken at, see `edge_agent.drift.strata`.
    """

    lot: str
    sample: str | None
    values: tuple[float, ...]
    is_declared: bool = False
    stratum: str = UNRECORDED


@dataclass(frozen=True, slots=True)
class _Sample:
    """One sample's deviation from the calibration, each component.

    Attributes:
        name: its name, or words for one that has none.
        cell: its stratum, and the lot of most of its frames.
        mean: its frames' mean deviation, in the component's own unit.
        usual: standard deviation that such a mean has under the calibration.
        variance: of its frames around their mean, in units of the calibrated one; None for a single frame.
    """

    name: str
    cell: Cell
    mean: tuple[float, ...]
    usual: tuple[float, ...]
    variance: tuple[float, ...] | None


def count_samples(frames: Sequence[BaselineFrame]) -> int:
    """How many independent samples `frames` show.

    A name that comes back is the same sample. Where samples have no names, each run of one lot is one; a predicted lot that flickers
    begins none, much as for the judge, which asks besides that the frames of another lot be sure.
    """
    return len({key.name for key, _ in _grouped(frames)})


def estimate_rebase(calibration: Calibration, frames: Sequence[BaselineFrame]) -> Rebase:
    """Estimate offset and scale from `frames`, in the order they were judged; frames that the calibration does not know are left out.

    The offset is the samples' mean deviation, shrunk towards the calibration by PSEUDO_SAMPLES, but by no more than one standard
    error: a limited-translation estimator (Efron & Morris 1971, JASA 66, 807). Shrinking alone would leave 8/28 of a real change
    behind, and the judge would alarm at it again. A lot with SAMPLES_FOR_A_LOT in a stratum has its own, shrunk likewise towards the
    offset that all share; the others take the shared one. Scales are shrunk in the same way, a few samples' spread being taken for as
    wide as it is in 9 cases of 10 (as in a fit), and are widened by sqrt(1 + 1/m) for the error of the offset itself.

    Raises:
        ValueError: there are fewer than SAMPLES_TO_REBASE samples, or they do not agree with each other.
    """
    home = frames[-1].stratum if frames and tells_no_stratum(calibration) else UNRECORDED
    known = [frame for frame in frames if _lot(calibration, home, frame) is not None]
    count = count_samples(known)
    if count < SAMPLES_TO_REBASE:
        raise ValueError(f"a re-base needs {SAMPLES_TO_REBASE} samples since the change, and there are {count}")
    by_cell: dict[Cell, list[_Sample]] = defaultdict(list)
    for _, group in _grouped(known):
        sample = _sample(group, calibration, home)
        by_cell[sample.cell].append(sample)
    cells = {stratum: {lot: dict[str, Move]() for lot in lots} for stratum, lots in strata_of(calibration).items()}
    for place, name in enumerate(COMPONENTS):
        for cell, move in _moves(place, by_cell, [(stratum, lot) for stratum, lots in cells.items() for lot in lots]).items():
            if move.between > WIDEST and cell in by_cell:
                raise ValueError(
                    f"the {count} samples since then do not agree with each other: their {name} varies {move.between:.1f} times "
                    f"as much as the calibration's samples do, {_oddest(by_cell, place)} being the oddest"
                )
            cells[cell[0]][cell[1]][name] = move
    return Rebase(calibration=calibration.digest, samples=count, frames=len(known), stratum=home, cells=cells)


def _lot(calibration: Calibration, home: str, frame: BaselineFrame) -> LotCalibration | None:
    """What the frame is held against; None where it was not calibrated."""
    stratum = frame.stratum if not tells_no_stratum(calibration) else UNRECORDED if frame.stratum == home else None
    return None if stratum is None else (calibration.at(stratum) or {}).get(frame.lot)


class _Key(NamedTuple):
    """What frames of one sample have in common: a name, or the number of a run, and their settings."""

    name: str | int
    stratum: str


def _grouped(frames: Sequence[BaselineFrame]) -> list[tuple[_Key, list[BaselineFrame]]]:
    groups: dict[_Key, list[BaselineFrame]] = defaultdict(list)
    run, lot, stratum = 0, "", None
    others: list[BaselineFrame] = []
    for frame in frames:
        if frame.sample is not None:
            stratum = None
            groups[_Key(frame.sample, frame.stratum)].append(frame)
            continue
        if frame.stratum != stratum or (frame.lot != lot and frame.is_declared):
            run, lot, stratum, others = run + 1, frame.lot, frame.stratum, []
        elif frame.lot == lot:
            others = others[1:]
        else:
            others.append(frame)
            if len(others) < CHANGED:
                continue
            run, lot = run + 1, frame.lot
            groups[_Key(run, stratum)] += [other for other in others[:-1] if other.lot == lot]
            others = []
        groups[_Key(run, frame.stratum)].append(frame)
    return list(groups.items())


def _sample(frames: Sequence[BaselineFrame], calibration: Calibration, home: str) -> _Sample:
    """A sample is held against the lot that most of its frames were given, as by the judge."""
    lot = Counter(frame.lot for frame in frames).most_common(1)[0][0]
    stratum = UNRECORDED if tells_no_stratum(calibration) else frames[0].stratum
    held = next(found for frame in frames if frame.lot == lot and (found := _lot(calibration, home, frame)) is not None)
    declared = all(frame.is_declared for frame in frames)
    spreads = held.spread if declared else held.spread_as_predicted or held.spread
    means, usual, variances = [], [], []
    for place, name in enumerate(COMPONENTS):
        spread = spreads[name]
        values = [frame.values[place] for frame in frames]
        middle = fmean(values)
        means.append(middle - spread.centre)
        usual.append(math.sqrt(spread.between**2 + spread.within**2 / min(len(frames), MOST_COUNTED)))
        if len(frames) > 1:
            variances.append(sum((value - middle) ** 2 for value in values) / (len(frames) - 1) / spread.within**2)
    name = frames[0].sample or f"a sample of {lot}"
    return _Sample(name, (stratum, lot), tuple(means), tuple(usual), tuple(variances) if variances else None)


def _moves(place: int, by_cell: Mapping[Cell, Sequence[_Sample]], cells: Iterable[Cell]) -> dict[Cell, Move]:
    """Every cell's move of one component."""
    own = {cell: held for cell, held in by_cell.items() if len(held) >= SAMPLES_FOR_A_LOT}
    rest = [sample for cell, held in by_cell.items() if cell not in own for sample in held]
    everything = [sample for held in by_cell.values() for sample in held]
    scales = _scales(place, [held for held in [*own.values(), rest] if held], _Scales(1.0, 1.0))
    shared = _move(place, everything, 0.0, _scales(place, [everything], scales))  # lots may move apart: that widens what they share
    moves = dict.fromkeys(cells, shared)
    for cell, held in own.items():
        moves[cell] = _move(place, held, shared.offset, _scales(place, [held], scales))
    return moves


@dataclass(frozen=True, slots=True)
class _Scales:
    """Variances between and within samples, in units of the calibrated ones."""

    between: float
    within: float


def _scales(place: int, groups: Sequence[Sequence[_Sample]], prior: _Scales) -> _Scales:
    """The variances around the groups' own means, shrunk towards `prior`."""
    squares = sum(
        (sample.mean[place] - mean) ** 2 / sample.usual[place] ** 2
        for held in groups
        for mean in [_mean(place, held)[0]]
        for sample in held
    )
    degrees = sum(map(len, groups)) - len(groups)
    variances = [sample.variance[place] for held in groups for sample in held if sample.variance]
    return _Scales(
        (PSEUDO_SAMPLES * prior.between + (squares * inflation(degrees) if degrees else 0.0)) / (PSEUDO_SAMPLES + degrees),
        (PSEUDO_SAMPLES * prior.within + sum(variances)) / (PSEUDO_SAMPLES + len(variances)),
    )


def _move(place: int, samples: Sequence[_Sample], towards: float, scales: _Scales) -> Move:
    """The move that `samples` share, its offset shrunk `towards` another."""
    count = len(samples)
    mean, variance = _mean(place, samples)
    offset = _shrunk(mean, towards, count, math.sqrt(scales.between * variance))
    between = math.sqrt(scales.between * (1 + 1 / count))
    return Move(offset=round(offset, 6), between=round(between, 6), within=round(math.sqrt(scales.within), 6))


def _mean(place: int, samples: Sequence[_Sample]) -> tuple[float, float]:
    """The samples' mean deviation, each weighed by how well it is known, and that mean's variance under the calibration."""
    weights = [sample.usual[place] ** -2 for sample in samples]
    total = sum(weights)
    return sum(weight * sample.mean[place] for weight, sample in zip(weights, samples, strict=True)) / total, 1.0 / total


def _oddest(by_cell: Mapping[Cell, Sequence[_Sample]], place: int) -> str:
    """The sample farthest from the middle one of its component."""
    samples = [sample for held in by_cell.values() for sample in held]
    middle = median(sample.mean[place] for sample in samples)
    return max(samples, key=lambda sample: abs(sample.mean[place] - middle)).name


def _shrunk(mean: float, towards: float, count: int, error: float) -> float:
    """`mean` of `count` samples moved towards another value by PSEUDO_SAMPLES, but no farther than its own standard error."""
    moved = (count * mean + PSEUDO_SAMPLES * towards) / (count + PSEUDO_SAMPLES)
    return min(mean + error, max(mean - error, moved))
