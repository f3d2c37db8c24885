"""The judge and two textbook detectors on streams of real frames."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.drift.kept import digest_of, digest_of_bench, digest_of_judge
from tests.benchmarks.drift.measure import Bench, calm_run, follow
from tests.benchmarks.drift.peers import FAMILIES
from tests.benchmarks.drift.real_pictures import OTHER_FRAMES, PHOTOGRAPH_FRAMES, sources
from tests.benchmarks.drift.run import NOMINAL
from tests.benchmarks.drift.streams import UNRELATED, stream_of
from tests.benchmarks.drift.study import STRENGTHS
from tests.benchmarks.drift.tuning import count_alarms, tune

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from tests.benchmarks.drift.kept import Kept
    from tests.benchmarks.drift.library import Library
    from tests.benchmarks.drift.peers import Family
    from tests.benchmarks.drift.real_folds import Fold
    from tests.benchmarks.drift.real_pictures import Picture, RealPictures, RealVisit
    from tests.benchmarks.drift.streams import Stream

SEED = 11
ORDERS = 4
"""In which the held-out pictures are visited; they show the same frames in each."""
PEERS = tuple(family for family in FAMILIES if family.name.startswith(("ADWIN", "CUSUM")))
CONTROL = "nothing (control)"
"""In place of a change: the same visits with nothing changed, so that an alarm after a change can be told from one that comes anyway."""
LEFT_OUT, SHIPPED = "one source of each lot left out", "the shipped calibration, test side"
SOURCES = ("library", "real_folds", "real_pictures", "real_run", "scored", "streams", "study")


@dataclass
class RealResults:
    """All that was measured, plain data.

    Attributes:
        frames: scored.
        pictures: of every side and lot, by independent source, how many.
        calm: by calibration, of each fold and order what the judge did while nothing was wrong; beside `measure.Calm` the `order`, the
            sources `shown`, and the source each episode was `opened_in`.
        events: by calibration and change, what was said of it; beside `measure.Event` the `source` it came in.
        peers: by calibration and peer: limit, alarms, whether it reached ours, delays by change.
        guarantee: what the judge says of its own calibration, by calibration.
    """

    frames: int
    pictures: dict[str, dict[str, dict[str, int]]]
    calm: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    events: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    peers: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    guarantee: dict[str, list[str]] = field(default_factory=dict)


class RealStage:
    """Visits a fold's held-out pictures in a drawn order, each once; no frame is shown twice.

    Args:
        library: of scored frames.
        pictures: what there is.
        fold: whose held-out pictures are shown.
        seed: of the order.
    """

    def __init__(self, library: Library, pictures: RealPictures, fold: Fold, seed: tuple[int, ...]) -> None:
        self._library, self._pictures, self._fold = library, pictures, fold
        self._rng = np.random.default_rng(seed)

    def calm(self) -> Stream:
        """Nothing is wrong."""
        held = self._drawn(self._fold.held_out)
        return stream_of([self._rows(picture.calm) for picture in held], [picture.lot for picture in held], len(held))

    def filament(self, strength: float, first: str) -> Stream:
        """All of them, then all of them through another filament (through the same one at strength 0), beginning with one of `first`."""
        changed = sorted(self._drawn(self._fold.held_out), key=lambda picture: picture.lot != first)
        rest = self._drawn(changed[1:])
        return self._then([(picture.lot, self._rows(picture.visit(OTHER_FRAMES, strength))) for picture in (changed[0], *rest)])

    def unseen(self, lot: str, source: str) -> Stream:
        """All of them, then one source of an unseen lot."""
        held = [picture for picture in self._pictures.unseen if (picture.lot, picture.source) == (lot, source)]
        return self._then([(lot, self._rows(picture.visit(OTHER_FRAMES))) for picture in self._drawn(held)])

    def unrelated(self) -> Stream:
        """All of them, then samples of one field from each photograph."""
        fields = np.array([self._rows(picture.visit(PHOTOGRAPH_FRAMES)) for picture in self._pictures.unrelated])
        return self._then([(UNRELATED, self._rng.permutation(sample)) for sample in fields.T])

    def _then(self, changed: list[tuple[str, NDArray[np.int64]]]) -> Stream:
        lead = self._drawn(self._fold.held_out)
        parts = [self._rows(picture.calm) for picture in lead] + [rows for _, rows in changed]
        return stream_of(parts, [picture.lot for picture in lead] + [lot for lot, _ in changed], len(lead))

    def _drawn(self, pictures: Iterable[Picture]) -> list[Picture]:
        held = list(pictures)
        return [held[place] for place in self._rng.permutation(len(held))]

    def _rows(self, visit: RealVisit) -> NDArray[np.int64]:
        return np.asarray(self._library.rows[visit], np.int64)


class RealStudy:
    """The parts, in order.

    Args:
        pictures: what there is.
        library: their scored frames.
        ways: folds by how they were calibrated.
        kept: earlier results.
    """

    def __init__(self, pictures: RealPictures, library: Library, ways: dict[str, list[Fold]], kept: Kept) -> None:
        self._pictures, self._library, self._ways, self._kept = pictures, library, ways, kept
        self._source = {row: f"{visit.lot}/{visit.source}" for visit, rows in library.rows.items() for row in rows}
        calibrated = [fold.calibration.digest for folds in ways.values() for fold in folds]
        content = digest_of(library.entropy.tobytes(), library.distance.tobytes(), calibrated)
        self._key = digest_of(content, digest_of_bench(*SOURCES, "measure"), digest_of_judge())
        self._peers_key = digest_of(self._key, digest_of_bench("peers", "tuning"))

    def run(self) -> RealResults:
        """Measure what is not kept yet."""
        found = RealResults(len(self._library.frames), _counts(self._pictures))
        for number, (way, folds) in enumerate(self._ways.items()):
            found.guarantee[way] = [Bench(fold.calibration, NOMINAL).fresh().guarantee for fold in folds]
            found.calm[way] = self._kept.get(f"real-calm-{number}", self._key, lambda folds=folds: self._calm(folds))
            found.events[way] = self._kept.get(f"real-events-{number}", self._key, lambda folds=folds: self._events(folds))
            most = sum(len(run["opened"]) for run in found.calm[way])
            found.peers[way] = self._kept.get(
                f"real-peers-{number}",
                self._peers_key,
                lambda folds=folds, most=most: {family.name: self._peer(family, folds, most) for family in PEERS},
            )
        return found

    def example(self) -> tuple[Stream, Fold, Library]:
        """A stream with the paper's change, for a picture."""
        fold, stream = next(self._streams(self._ways[LEFT_OUT])["filament 1"])
        return stream, fold, self._library

    def _calm_streams(self, folds: list[Fold]) -> Iterator[tuple[Fold, int, Stream]]:
        for number, fold in enumerate(folds):
            for order in range(ORDERS):
                yield fold, order, self._stage(fold, 0, number, order).calm()

    def _streams(self, folds: list[Fold]) -> dict[str, Iterator[tuple[Fold, Stream]]]:
        """Streams with a change, by change."""
        filaments = {f"filament {strength:g}": self._filaments(folds, strength) for strength in STRENGTHS}
        return {CONTROL: self._filaments(folds, 0.0), **filaments, "unseen lot": self._unseen(folds), UNRELATED: self._unrelated(folds)}

    def _filaments(self, folds: list[Fold], strength: float) -> Iterator[tuple[Fold, Stream]]:
        for number, fold in enumerate(folds):
            for (place, lot), order in product(enumerate(sources(fold.held_out)), range(ORDERS)):
                yield fold, self._stage(fold, 1, round(100 * strength), number, place, order).filament(strength, lot)

    def _unseen(self, folds: list[Fold]) -> Iterator[tuple[Fold, Stream]]:
        strange = [(lot, source) for lot, held in sources(self._pictures.unseen).items() for source in held]
        for number, fold in enumerate(folds):
            for (place, (lot, source)), order in product(enumerate(strange), range(ORDERS)):
                yield fold, self._stage(fold, 2, number, place, order).unseen(lot, source)

    def _unrelated(self, folds: list[Fold]) -> Iterator[tuple[Fold, Stream]]:
        for number, fold in enumerate(folds):
            for order in range(ORDERS):
                yield fold, self._stage(fold, 3, number, order).unrelated()

    def _stage(self, fold: Fold, *seed: int) -> RealStage:
        return RealStage(self._library, self._pictures, fold, (SEED, *seed))

    def _calm(self, folds: list[Fold]) -> list[dict[str, Any]]:
        found = []
        for fold, order, stream in self._calm_streams(folds):
            run = calm_run(Bench(fold.calibration, NOMINAL).fresh(), stream, self._library)
            opened_in = [self._source[int(stream.rows[number])] for number, *_ in run.opened]
            shown = {f"{picture.lot}/{picture.source}" for picture in fold.held_out}
            found.append({**asdict(run), "order": order, "shown": sorted(shown), "opened_in": opened_in})
        return found

    def _events(self, folds: list[Fold]) -> dict[str, list[dict[str, Any]]]:
        return {
            change: [
                {
                    **follow(Bench(fold.calibration, NOMINAL).fresh(), stream, self._library).to_row(),
                    "source": self._source[int(stream.rows[stream.change])],
                }
                for fold, stream in streams
            ]
            for change, streams in self._streams(folds).items()
        }

    def _peer(self, family: Family, folds: list[Fold], most: int) -> dict[str, Any]:
        """Tuned to as many alarms as ours raised on the same calm streams."""
        calm = [fold.entropy[stream.rows] for fold, _, stream in self._calm_streams(folds)]
        tuned = tune(family, lambda limit: count_alarms(family, limit, calm, most), most)
        delays: dict[str, list[int | None]] = {}
        for change, streams in self._streams(folds).items():
            delays[change] = []
            for fold, stream in streams:
                told = family.alarms(tuned.limit, fold.entropy[stream.rows])
                alarm = next((number for number in told if number >= stream.change), None)
                delays[change].append(None if alarm is None else alarm - stream.change + 1)
        return {"limit": tuned.limit, "alarms": tuned.alarms, "reached": tuned.reached, "delays": delays}


def _counts(pictures: RealPictures) -> dict[str, dict[str, dict[str, int]]]:
    """Pictures by side, lot and source."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for side in ("calibration", "test", "unseen", "unrelated"):
        for picture in getattr(pictures, side):
            held = found.setdefault(side, {}).setdefault(picture.lot or "photographs", {})
            held[picture.source] = held.get(picture.source, 0) + 1
    return found
