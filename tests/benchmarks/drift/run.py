"""Runs every part of the study, ours and the peers', each kept by what made it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.drift.ageing import accuracy_by_current
from tests.benchmarks.drift.kept import digest_of, digest_of_bench, digest_of_judge
from tests.benchmarks.drift.measure import Bench, calm_run, follow, microseconds_a_frame, restarts_change_nothing
from tests.benchmarks.drift.peers import FAMILIES, SCORES
from tests.benchmarks.drift.streams import Stage
from tests.benchmarks.drift.study import STRENGTHS
from tests.benchmarks.drift.tuning import count_alarms, tune

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tests.benchmarks.drift.kept import Kept
    from tests.benchmarks.drift.library import Library
    from tests.benchmarks.drift.peers import Family
    from tests.benchmarks.drift.splits import Split
    from tests.benchmarks.drift.streams import Stream

SEED = 7
NOMINAL = 10_000
"""Frames between false alarms at which everything is measured, as in the study."""
NOMINALS = (1_000, 3_000, 10_000, 30_000, 100_000)
"""For the curves of delay against realised run length."""
HABITS = {"5": (5, 5), "300": (300, 300)}
"""Operators who image so many frames of each sample."""
CHANGES: dict[str, Callable[[Stage], Stream]] = {
    **{f"filament {strength:g}": (lambda stage, strength=strength: stage.filament(strength)) for strength in STRENGTHS},
    "filament 1 within a sample": lambda stage: stage.filament(1.0, within=True),
    "unseen lot": lambda stage: stage.unseen_lot(),
    "unrelated": lambda stage: stage.unrelated(),
    "ageing": lambda stage: stage.ageing(),
}
CURVES = tuple(name for name in CHANGES if name.startswith("filament") and "within" not in name)
SOURCES = ("library", "pool", "run", "scored", "splits", "streams", "study")


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        calm: frames a split while nothing is wrong.
        habit: frames a split for each habit.
        events: a change, a split.
    """

    calm: int = 42_000
    habit: int = 15_000
    events: int = 25


QUICK = Size(calm=6_000, habit=3_000, events=6)


@dataclass
class Results:
    """All that was measured, plain data.

    Attributes:
        frames: of the pool.
        absent: visits that the pool lacks.
        splits: how many.
        calm: by nominal run length, what each split's judge did.
        habits: by habit, the same.
        declared: the same at NOMINAL with declared lots.
        events: by nominal run length and change, all splits' events.
        peers: by nominal run length, then "score / family": limit, alarms, reached and delays by change.
        calm_frames: of the peers' calm streams.
        accuracy: by current.
        restart: frames, different, bytes; a split each.
        microseconds: a frame, a split each.
    """

    frames: int
    absent: int
    splits: int
    calm: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    habits: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    declared: list[dict[str, Any]] = field(default_factory=list)
    events: dict[int, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    peers: dict[int, dict[str, dict[str, Any]]] = field(default_factory=dict)
    calm_frames: int = 0
    accuracy: dict[str, Any] = field(default_factory=dict)
    restart: list[tuple[int, int, int]] = field(default_factory=list)
    microseconds: list[float] = field(default_factory=list)


class Study:
    """The parts, in order.

    Args:
        library: of scored frames.
        splits: calibrations.
        kept: earlier results.
        size: how much to measure.
    """

    def __init__(self, library: Library, splits: list[Split], kept: Kept, size: Size) -> None:
        self._library, self._splits, self._kept, self._size = library, splits, kept, size
        content = digest_of(library.entropy.tobytes(), library.distance.tobytes(), repr(size))
        self._streams = digest_of(content, digest_of_bench(*SOURCES), SEED)
        self._possible = tuple(change for change in CHANGES if self._is_possible(change))
        self._curves = tuple(change for change in self._possible if change in CURVES)
        self._judge = digest_of(digest_of_judge(), digest_of_bench("measure"))

    def run(self, *, peers: bool = True) -> Results:
        """Measure what is not kept yet."""
        found = Results(len(self._library.frames), self._library.absent, len(self._splits))
        found.calm[NOMINAL] = self._ours("calm", NOMINAL, self._calm)
        found.events[NOMINAL] = self._events(NOMINAL, self._possible)
        found.restart = [tuple(row) for row in self._ours("restart", NOMINAL, self._restart)]
        found.microseconds = self._ours("cost", NOMINAL, self._cost)
        found.accuracy = self._kept.get("accuracy", self._streams, lambda: accuracy_by_current(self._library))
        for habit, lengths in HABITS.items():
            found.habits[habit] = self._ours(f"habit-{habit}", NOMINAL, partial(self._habit, lengths=lengths))
        found.declared = self._ours("declared", NOMINAL, self._declared)
        for nominal in NOMINALS:
            found.calm.setdefault(nominal, self._ours("calm", nominal, self._calm))
            found.events.setdefault(nominal, self._events(nominal, self._curves))
        if peers:
            values = {score: [self._values(split, self._calm_stream(split), score) for split in self._splits] for score in SCORES}
            found.calm_frames = sum(map(len, values[SCORES[0]]))
            for nominal in NOMINALS:
                found.peers[nominal] = self._peers(found, nominal, values)
        return found

    def example(self, change: str) -> tuple[Stream, Split, Library]:
        """A stream with this change, for a picture."""
        return self._event_streams(self._splits[0], change)[0], self._splits[0], self._library

    def _is_possible(self, change: str) -> bool:
        try:
            for split in self._splits:
                CHANGES[change](Stage(self._library, split, (SEED, 5)))
        except LookupError as error:
            print(f"{change} is left out: {error}", flush=True)
            return False
        return True

    def _ours(self, name: str, nominal: int, part: Callable[[Split, Bench], Any]) -> list[Any]:
        key = digest_of(self._streams, self._judge, [split.calibration.digest for split in self._splits], nominal)
        return list(
            self._kept.get(f"{name}-{nominal}", key, lambda: [part(split, Bench(split.calibration, nominal)) for split in self._splits])
        )

    def _calm_stream(self, split: Split) -> Stream:
        return Stage(self._library, split, (SEED, 0)).calm(self._size.calm)

    def _calm(self, split: Split, bench: Bench) -> dict[str, Any]:
        return asdict(calm_run(bench.fresh(), self._calm_stream(split), self._library))

    def _habit(self, split: Split, bench: Bench, lengths: tuple[int, int]) -> dict[str, Any]:
        return asdict(calm_run(bench.fresh(), Stage(self._library, split, (SEED, 1), lengths).calm(self._size.habit), self._library))

    def _declared(self, split: Split, bench: Bench) -> dict[str, Any]:
        return asdict(calm_run(bench.fresh(), Stage(self._library, split, (SEED, 2)).calm(self._size.habit, declared=True), self._library))

    def _restart(self, split: Split, bench: Bench) -> tuple[int, int, int]:
        del bench
        stage = Stage(self._library, split, (SEED, 3))
        parts = []
        for stream in (stage.calm(400), *(CHANGES[change](stage) for change in self._possible)):
            frames = list(stream.observations(self._library))
            parts.append(restarts_change_nothing(split.calibration, NOMINAL, frames[max(0, stream.change - 200) : stream.change + 200]))
        return sum(part[0] for part in parts), sum(part[1] for part in parts), max(part[2] for part in parts)

    def _cost(self, split: Split, bench: Bench) -> float:
        return microseconds_a_frame(bench.fresh(), Stage(self._library, split, (SEED, 4)).calm(4_000).observations(self._library))

    def _event_streams(self, split: Split, change: str) -> list[Stream]:
        return [
            CHANGES[change](Stage(self._library, split, (SEED, 5, list(CHANGES).index(change), number)))
            for number in range(self._size.events)
        ]

    def _events(self, nominal: int, changes: tuple[str, ...]) -> dict[str, list[dict[str, Any]]]:
        found = {}
        for change in changes:

            def part(split: Split, bench: Bench, change: str = change) -> list[dict[str, Any]]:
                return [follow(bench.fresh(), stream, self._library).to_row() for stream in self._event_streams(split, change)]

            found[change] = [event for events in self._ours(f"events-{change.replace(' ', '-')}", nominal, part) for event in events]
        return found

    def _values(self, split: Split, stream: Stream, score: str) -> NDArray[np.float64]:
        return (split.entropy if score == SCORES[0] else split.distance)[stream.rows]

    def _peers(self, found: Results, nominal: int, values: dict[str, list[NDArray[np.float64]]]) -> dict[str, dict[str, Any]]:
        """Each tuned to as many alarms as our judge raised on the same calm streams."""
        most = sum(len(run["opened"]) for run in found.calm[nominal])
        changes = self._possible if nominal == NOMINAL else self._curves
        made = {}
        for score in SCORES:
            for family in FAMILIES:
                calm_digest = digest_of(np.concatenate(values[score]).tobytes(), digest_of_bench("peers", "tuning"), family.name)
                name = f"peer-{nominal}-{FAMILIES.index(family)}-{SCORES.index(score)}"
                key = digest_of(calm_digest, self._streams, score, most, changes)
                made[f"{score} / {family.name}"] = self._kept.get(
                    name, key, partial(self._peer, family, score, values[score], most, changes)
                )
        return made

    def _peer(self, family: Family, score: str, calm: list[NDArray[np.float64]], most: int, changes: tuple[str, ...]) -> dict[str, Any]:
        tuned = tune(family, lambda limit: count_alarms(family, limit, calm, most), most)
        realised = count_alarms(family, tuned.limit, calm, 10**9)
        delays: dict[str, list[int | None]] = {}
        if tuned.reached:
            for change in changes:
                delays[change] = []
                for split in self._splits:
                    for stream in self._event_streams(split, change):
                        told = family.alarms(tuned.limit, self._values(split, stream, score))
                        alarm = next((number for number in told if number >= stream.change), None)
                        delays[change].append(None if alarm is None else alarm - stream.change + 1)
        return {"limit": tuned.limit, "alarms": realised, "reached": tuned.reached, "delays": delays}
