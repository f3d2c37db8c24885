"""The drift bench on a pool of numbers: what it shows whom, how it tunes, and that it keeps what it measured."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from edge_agent.core.frame import AcquisitionStatistics
from edge_agent.core.prediction import Score
from edge_agent.simulate import KNOWN_LOTS, UNSEEN_LOTS
from tests.benchmarks.drift import peers, run
from tests.benchmarks.drift.gates import gates
from tests.benchmarks.drift.kept import Kept
from tests.benchmarks.drift.library import Library
from tests.benchmarks.drift.peers import FAMILIES, Cusum, Ewma, kswin
from tests.benchmarks.drift.pool import Visit
from tests.benchmarks.drift.real_report import Told
from tests.benchmarks.drift.report import page
from tests.benchmarks.drift.run import Size, Study
from tests.benchmarks.drift.scored import Scored
from tests.benchmarks.drift.splits import make_split
from tests.benchmarks.drift.streams import Stage
from tests.benchmarks.drift.study import FRAMES, everything, filament
from tests.benchmarks.drift.tuning import RunLength, count_alarms, tune

FILAMENT = np.array([0.3, 0.4, 0.6, 0.05, -0.1, 0.9, 0.3])
STRANGE = np.array([0.2, 0.3, 1.5, 0.0, 0.0, 0.0, 0.0])
ALL_LOTS = [*KNOWN_LOTS, *UNSEEN_LOTS, ""]


class Numbers:
    """A pool of visits whose every number is drawn: lots, samples and frames each add their own."""

    def read(self, visit: Visit) -> list[Scored]:
        lot = ALL_LOTS.index(visit.lot)
        rng = np.random.default_rng((lot, visit.sample, int(100 * visit.filament), int(100 * visit.current)))
        place = np.random.default_rng((lot, 0)).normal(0, 0.4, 7) + np.random.default_rng((lot, visit.sample, 1)).normal(0, 0.1, 7)
        place = place + visit.filament * FILAMENT + (1 - visit.current) * FILAMENT + (visit.lot in UNSEEN_LOTS) * STRANGE
        predicted = visit.lot if visit.lot in KNOWN_LOTS else KNOWN_LOTS[lot % len(KNOWN_LOTS)]
        return [_frame(place + rng.normal(0, 0.1 if visit.lot else 2.0, 7), predicted) for _ in range(visit.frames)]


def _frame(values: np.ndarray, lot: str) -> Scored:
    entropy, information, distance, mean, sigma, noise, sharpness = values.tolist()
    score = Score(lot, 0.8, math.exp(entropy - 0.5), math.exp(information - 2), distance, None, False, (), 5)
    return Scored(score, AcquisitionStatistics(0.4 + 0.05 * mean, sigma - 2, noise - 4, sharpness - 1, 0.0, 0.0))


@pytest.fixture(scope="module")
def library() -> Library:
    return Library(Numbers(), everything())


@pytest.fixture(scope="module")
def splits(library: Library) -> list:
    return [make_split(library, number, model_digest="0" * 64, members=5) for number in range(2)]


def test_a_stream_shows_no_frame_that_calibrated_its_judge(library: Library, splits: list) -> None:
    for split in splits:
        allowed = {row for lot, numbers in split.held_out.items() for n in numbers for row in library.rows[Visit(lot, n, FRAMES)]}
        held_back = {row for visit in filament(1.0) if visit.sample not in split.changed[visit.lot] for row in library.rows[visit]}
        stage = Stage(library, split, (1,))
        assert set(stage.calm(2_000).rows.tolist()) <= allowed
        assert not set(stage.filament(1.0).rows.tolist()) & held_back
    assert splits[0].held_out != splits[1].held_out


def test_a_sample_comes_in_order_and_then_again_and_a_seed_says_which(library: Library, splits: list) -> None:
    one, again, other = (Stage(library, splits[0], (seed,), (20, 30)).calm(500) for seed in (1, 1, 2))
    assert one.rows.tolist() == again.rows.tolist() != other.rows.tolist()
    for sample in range(len(one.lots)):
        rows = one.rows[one.samples == sample]
        assert 20 <= len(rows) <= 30
        assert rows[:FRAMES].tolist() == list(range(rows[0], rows[0] + FRAMES))
        assert set(rows.tolist()) <= set(rows[:FRAMES].tolist())


def test_a_change_begins_where_it_is_said_to(library: Library, splits: list) -> None:
    changed = {row for visit in filament(1.0) for row in library.rows[visit]}
    for within in (False, True):
        stream = Stage(library, splits[0], (3,)).filament(1.0, within=within)
        assert not set(stream.rows[: stream.change].tolist()) & changed
        assert set(stream.rows[stream.change :].tolist()) <= changed
        assert (stream.samples[stream.change] == stream.samples[stream.change - 1]) is np.bool_(within)


def test_observations_name_their_sample_and_a_lot_only_where_it_is_declared(library: Library, splits: list) -> None:
    stage = Stage(library, splits[0], (4,))
    silent, declared = stage.calm(100), stage.calm(100, declared=True)
    assert {observation.declared_lot for observation in silent.observations(library)} == {None}
    assert [o.declared_lot for o in declared.observations(library)] == [declared.lots[sample] for sample in declared.samples]
    names = [observation.ref.sample for observation in silent.observations(library)]
    assert len(dict.fromkeys(names)) == len(silent.lots)


def test_run_lengths_have_garwoods_interval() -> None:
    found = RunLength(10_000, 10)
    assert found.value == 1_000
    assert found.low == pytest.approx(10_000 / 16.962, rel=1e-3)
    assert found.high == pytest.approx(10_000 / 5.425, rel=1e-3)
    silent = RunLength(10_000, 0)
    assert silent.low == pytest.approx(10_000 / 2.9957, rel=1e-3)
    assert math.isinf(silent.value)
    assert math.isinf(silent.high)


def test_tuning_finds_the_loosest_limit_or_says_that_there_is_none() -> None:
    cusum = next(family for family in FAMILIES if family.name == "CUSUM, k 0.5")
    tuned = tune(cusum, lambda limit: int(1_000 / limit), 20)
    assert tuned.reached
    assert tuned.limit == pytest.approx(1_000 / 21, rel=0.01)
    assert tuned.alarms == 20
    assert not tune(cusum, lambda _limit: 21, 20).reached


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_peer_tuned_to_few_false_alarms_still_sees_a_large_change(family: peers.Family) -> None:
    rng = np.random.default_rng(0)
    calm = [rng.normal(size=4_000)]
    tuned = tune(family, lambda limit: count_alarms(family, limit, calm, 2), 2)
    assert tuned.reached
    assert tuned.alarms <= 2
    changed = np.concatenate([rng.normal(size=600), rng.normal(3.0, size=600)])
    assert any(600 <= number < 900 for number in family.alarms(tuned.limit, changed))


def test_cumulative_sums_and_weighted_means_begin_afresh_after_an_alarm() -> None:
    cusum = Cusum(2.0, 0.5)
    assert [cusum.update(value) for value in (1.5, 1.5, 1.5, -2.5)] == [False, True, False, True]
    ewma = Ewma(1.0, 0.5)
    assert [ewma.update(value) for value in (1.0, 1.0, 1.0)] == [False, True, False]


def test_kswin_measures_scipys_distance_ties_included_and_refills_its_window() -> None:
    values = np.random.default_rng(3).normal(size=140).round(1)
    drawn = np.random.default_rng(100)
    windows = np.lib.stride_tricks.sliding_window_view(values, 100)
    older = drawn.permuted(np.broadcast_to(np.arange(70), (len(windows), 70)), axis=1)[:, :30]
    expected = [stats.ks_2samp(window[drawn], window[-30:]).statistic for window, drawn in zip(windows, older, strict=True)]
    assert peers._kswin_distances(100, 30, values.tobytes()) == pytest.approx(expected, abs=1e-8)
    assert list(kswin(100, 30, 0.0, np.zeros(250))) == [99, 169, 239]


def test_a_study_is_kept_and_told_with_every_gate(library: Library, splits: list, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "NOMINALS", (run.NOMINAL,))
    size = Size(calm=600, habit=300, events=1)
    results = Study(library, splits[:1], Kept(tmp_path), size).run()
    text = page(results, model="numbers", digest="0" * 64, real=Told("none of them", ("it failed once",)))
    assert "- it failed once\n" in text
    assert all(f"| {gate.name} |" in text for gate in gates(results))
    assert all(gate.passed is not None for gate in gates(results) if "delay" not in gate.name)
    assert next(gate for gate in gates(results) if gate.name == "in-control frames").passed is False
    assert next(gate for gate in gates(results) if gate.name.startswith("a restart")).passed is True

    def measured_again(*_: object) -> None:
        raise AssertionError("what is kept is not measured again")

    for name in ("calm_run", "follow", "restarts_change_nothing", "tune"):
        monkeypatch.setattr(run, name, measured_again)
    assert Study(library, splits[:1], Kept(tmp_path), size).run() == results
