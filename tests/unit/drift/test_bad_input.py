"""What the judge makes of streams that are not as they should be: each has a defined answer, and a restart changes none of them."""

from __future__ import annotations

import dataclasses
import math
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.core.frame import Acquisition
from edge_agent.core.verdict import Cause, DriftState, EpisodeChange, Kind, Observation, Phase, Verdict
from edge_agent.drift import Calibration, DriftSettings, SequentialJudge, stratum_of
from edge_agent.drift.recall import SAMPLES
from edge_agent.drift.strata import SETTLED
from edge_agent.drift.unjudged import MANY, WINDOW
from tests.streams import FILAMENT, NOTHING, Stage, calibration

if TYPE_CHECKING:
    from collections.abc import Iterable

AT_5, AT_20 = Acquisition(detector="SE2", acceleration_voltage_v=5e3), Acquisition(detector="SE2", acceleration_voltage_v=2e4)
FAR_AWAY = (0.5, 0.5, 3.0, 0.0, 0.0, 0.0, 0.0)


@lru_cache(maxsize=1)
def fitted() -> Calibration:
    return calibration(16)


@lru_cache(maxsize=1)
def of_two_strata() -> Calibration:
    return fitted().model_copy(update={"stratum": "SE2, 5 kV", "strata": {"SE2, 20 kV": fitted().lots}})


def judged(judge: SequentialJudge, frames: Iterable[Observation]) -> list[Verdict]:
    """Each frame's verdict, by judges that are all restarted before it; they agree with one that never was, in at most 4 KB of state."""
    verdicts = []
    state = judge.to_json()
    for frame in frames:
        restarted = SequentialJudge(judge._calibration)
        restarted.restore(state)
        verdict = judge.update(frame)
        assert restarted.update(frame) == verdict
        state = restarted.to_json()
        assert state == judge.to_json()
        assert len(state.encode()) <= 4096
        verdicts.append(verdict)
    return verdicts


def changes_of(judge: SequentialJudge, frames: Iterable[Observation]) -> list[EpisodeChange]:
    return [change for frame in frames for change in judge.update(frame).changes]


def opened(changes: list[EpisodeChange]) -> list[EpisodeChange]:
    return [change for change in changes if change.phase is Phase.OPENED]


def at(frames: Iterable[Observation], acquisition: Acquisition) -> list[Observation]:
    return [dataclasses.replace(frame, acquisition=acquisition) for frame in frames]


def named(frames: Iterable[Observation], sample: str | None) -> list[Observation]:
    return [dataclasses.replace(frame, ref=dataclasses.replace(frame.ref, sample=sample)) for frame in frames]


def of_lot(frame: Observation, lot: str) -> Observation:
    return dataclasses.replace(frame, score=dataclasses.replace(frame.score, lot=lot))


def in_turn(stage: Stage, specimens: int, visits: int, **how: Any) -> list[Observation]:
    """Specimens that a stage visits in turn, a frame each, numbered as they come."""
    samples = [stage.sample(visits, **how) for _ in range(specimens)]
    frames = [frame for row in zip(*samples, strict=True) for frame in row]
    numbers = sorted(frame.ref.seq for frame in frames)
    return [dataclasses.replace(frame, ref=dataclasses.replace(frame.ref, seq=seq)) for frame, seq in zip(frames, numbers, strict=True)]


# samples


def test_components_that_no_frame_tells_gather_no_evidence() -> None:
    settings = DriftSettings(false_alarms_per_month=80.0)  # one in 540 frames
    judge, stage = SequentialJudge(fitted(), settings), Stage(30)
    frames = [frame for number in range(30) for frame in stage.sample(32, ("ebc", "powder")[number % 2], members=4)]
    interrupted = stage.sample(24, members=4)
    frames += [*interrupted[:12], *stage.sample(12, members=4), *interrupted[12:]]  # and a sample that comes back
    assert [change.kind for change in changes_of(judge, frames)] == [Kind.DEGRADED]


def test_samples_of_one_frame_add_up_and_one_alone_cannot_alarm() -> None:
    judge, stage = SequentialJudge(fitted()), Stage(1)
    calm = [frame for _ in range(40) for frame in stage.sample(1)]
    lone = stage.sample(1, shift=FAR_AWAY)
    more = [frame for _ in range(20) for frame in stage.sample(1)]
    assert [verdict.changes for verdict in judged(judge, calm + lone + more)] == [()] * 61
    odd = [frame for _ in range(20) for frame in stage.sample(1, shift=FAR_AWAY)]
    (alarm, *_) = changes_of(judge, odd)
    assert alarm.phase is Phase.OPENED
    assert alarm.onset in [more[-1].ref, *(frame.ref for frame in odd[:3])]


@pytest.mark.parametrize("specimens", [2, 4, SAMPLES])
def test_specimens_imaged_in_turn_are_so_many_samples_however_often_the_stage_moves(specimens: int) -> None:
    stage = Stage(specimens)
    frames = [frame for _ in range(60 // specimens) for frame in in_turn(stage, specimens, 24)]
    assert changes_of(SequentialJudge(fitted()), frames) == []


@pytest.mark.parametrize("specimens", [1, 2, 4])
def test_a_change_is_seen_while_specimens_are_imaged_in_turn(specimens: int) -> None:
    judge, stage = SequentialJudge(fitted()), Stage(3)
    calm, odd = in_turn(stage, specimens, 12), in_turn(stage, specimens, 12, shift=FILAMENT)
    (alarm,) = opened([change for verdict in judged(judge, calm + odd) for change in verdict.changes])
    assert alarm.kind is Kind.ACQUISITION_CHANGE
    assert alarm.onset.seq >= odd[0].ref.seq - specimens


def test_a_change_in_the_midst_of_specimens_that_go_on_in_turn_is_seen() -> None:
    judge, stage = SequentialJudge(fitted()), Stage(3)
    calm, odd = (in_turn(stage, 2, 30, shift=shift) for shift in (NOTHING, FILAMENT))
    same = [
        dataclasses.replace(late, ref=dataclasses.replace(late.ref, sample=early.ref.sample)) for early, late in zip(calm, odd, strict=True)
    ]
    assert opened(changes_of(judge, calm)) == []
    assert len(opened(changes_of(judge, same))) == 1


def test_a_name_that_comes_back_later_is_another_visit_and_a_new_sample() -> None:
    """Two judges that differ in nothing but the last sample's name agree in all of its frames."""
    stage = Stage(4)
    first = stage.sample(12)
    between = [frame for _ in range(SAMPLES) for frame in stage.sample(12)]
    back = stage.sample(12)
    told = []
    for name in (first[0].ref.sample, "never before"):
        judge = SequentialJudge(fitted())
        verdicts = judged(judge, first + between + named(back, name))
        told.append([verdict.statistic for verdict in verdicts])
    assert told[0] == told[1]


def test_a_sample_that_comes_back_at_once_adds_nothing_that_it_had_not_added() -> None:
    """Its evidence is that of all its frames, not the product of its visits'."""
    judge, stage = SequentialJudge(fitted()), Stage(11)
    own, other = stage.sample(8, shift=(0, 0, 0, 0, 0, 0.12, 0)), stage.sample(8)
    for frame in own + other:
        judge.update(frame)
    once = max(SequentialJudge(fitted()).update(frame).statistic or 0.0 for frame in own)
    again = max(verdict.statistic or 0.0 for _ in range(30) for verdict in judged(judge, own + other))
    assert again < once + math.log10(30 * 16)  # frames are earned, the sample's deviation is not counted thirty times


# no sample names


def unnamed(stage: Stage, samples: int, lots: tuple[str, ...] = ("ebc",), **how: Any) -> list[Observation]:
    return named((frame for number in range(samples) for frame in stage.sample(24, lots[number % len(lots)], **how)), None)


@pytest.mark.parametrize("lots", [("ebc",), ("ebc", "powder")])
def test_without_sample_names_a_calm_stream_raises_no_alarm_and_a_change_is_told(lots: tuple[str, ...]) -> None:
    judge, stage = SequentialJudge(fitted()), Stage(5)
    assert changes_of(judge, unnamed(stage, 100, lots)) == []
    odd = unnamed(stage, 2, lots, shift=FILAMENT)
    (alarm,) = opened([change for verdict in judged(judge, odd) for change in verdict.changes])
    assert alarm.evidence[-1].seq - odd[0].ref.seq < 24
    assert alarm.onset.seq > odd[0].ref.seq - 24


def test_a_predicted_lot_that_flickers_makes_no_samples() -> None:
    """Every third frame is surely taken for the other lot: as if those were not there."""
    judge, stage = SequentialJudge(fitted()), Stage(6)

    def flickering(frames: list[Observation]) -> list[Observation]:
        return [of_lot(frame, "powder") if number % 3 == 2 else frame for number, frame in enumerate(frames)]

    assert changes_of(judge, flickering(unnamed(stage, 60))) == []
    (alarm,) = opened([change for verdict in judged(judge, flickering(unnamed(stage, 2, shift=FILAMENT))) for change in verdict.changes])
    assert alarm.kind is Kind.ACQUISITION_CHANGE


def test_the_guarantee_says_that_it_is_weaker_without_sample_names() -> None:
    assert "no samples" in SequentialJudge(fitted(), names_samples=False).guarantee
    assert "no samples" not in SequentialJudge(fitted()).guarantee


# order and time


def test_no_time_that_a_frame_tells_changes_anything() -> None:
    """Times that go back, stand still, lie in the future or come in any order: the same verdicts, each with its frame's own time."""
    stage = Stage(7)
    frames = [frame for _ in range(3) for frame in stage.sample(12)] + [
        frame for _ in range(2) for frame in stage.sample(12, shift=FILAMENT)
    ]
    times = [datetime(1970 + 37 * number % 200, 1, 1, tzinfo=UTC) for number in range(len(frames))]
    confused = [dataclasses.replace(frame, ref=dataclasses.replace(frame.ref, at=time)) for frame, time in zip(frames, times, strict=True)]
    usual, other = (judged(SequentialJudge(fitted()), one) for one in (frames, confused))
    facts = [
        [
            (verdict.statistic, verdict.state, [(change.phase, change.kind, change.onset.seq) for change in verdict.changes])
            for verdict in told
        ]
        for told in (usual, other)
    ]
    assert facts[0] == facts[1]
    onset = next(change.onset for verdict in other for change in verdict.changes)
    assert onset.at == times[onset.seq - 1]


# lots and settings


@pytest.mark.parametrize("declared", [True, False])
def test_a_lot_that_was_never_calibrated_is_not_judged_and_leaves_the_judge_as_it_was(declared: bool) -> None:
    judge, undisturbed, stage = SequentialJudge(fitted()), SequentialJudge(fitted()), Stage(8)
    for frame in stage.sample(12):
        judge.update(frame)
        undisturbed.update(frame)
    strange = stage.sample(4, shift=FAR_AWAY)
    for frame in strange:
        unknown = dataclasses.replace(frame, declared_lot="nylon") if declared else of_lot(frame, "nylon")
        verdict = judge.update(unknown)
        assert (verdict.state, verdict.cause, verdict.statistic) == (DriftState.UNCALIBRATED, Cause.LOT, None)
        assert verdict.not_judged == "lot nylon was never calibrated"
    following = stage.sample(12)
    assert judged(judge, following) == judged(undisturbed, following)


def test_settings_changed_within_a_sample_and_back_leave_it_one_sample() -> None:
    judge, stage = SequentialJudge(of_two_strata()), Stage(9)
    frames = []
    for _ in range(40):
        sample = stage.sample(24)
        frames += [*at(sample[0::2], AT_5), *at(sample[1::2], AT_20)]  # changed once
        frames += [moved for pair in zip(at(sample[0::2], AT_5), at(sample[1::2], AT_20), strict=True) for moved in pair]  # and every frame
    verdicts = judged(judge, frames[:200])
    assert {verdict.stratum for verdict in verdicts} == {"SE2, 5 kV", "SE2, 20 kV"}
    assert changes_of(judge, frames[200:]) == []


def test_an_episode_ends_at_settings_that_were_not_calibrated_for_the_lot_it_began_with() -> None:
    lots = fitted().lots
    of_ebc_only = {"SE2, 20 kV": {"ebc": lots["ebc"]}}
    judge, stage = SequentialJudge(fitted().model_copy(update={"stratum": "SE2, 5 kV", "strata": of_ebc_only})), Stage(1)
    frames = at(stage.sample(12, "powder") + stage.sample(12, "powder", FILAMENT) + stage.sample(4, "powder"), AT_5)
    frames += at(stage.sample(12), AT_20)
    phases = [change.phase for verdict in judged(judge, frames) for change in verdict.changes]
    assert [phase for phase in phases if phase is not Phase.UPDATED] == [Phase.OPENED, Phase.CLOSED]


@pytest.mark.parametrize(
    ("acquisition", "says"),
    [
        pytest.param(Acquisition(), "nothing of its settings", id="none"),
        pytest.param(Acquisition(acceleration_voltage_v=5e3), "5 kV", id="no detector"),
        pytest.param(dataclasses.replace(AT_5, detector="InLens"), "InLens, 5 kV", id="unknown detector"),
        pytest.param(dataclasses.replace(AT_5, acceleration_voltage_v=math.nan), "SE2", id="not a number"),
        pytest.param(dataclasses.replace(AT_5, magnification=1000.0), "SE2, 5 kV, about 1024x", id="more than was calibrated"),
    ],
)
def test_settings_that_are_missing_unknown_or_no_numbers_are_not_guessed(acquisition: Acquisition, says: str) -> None:
    judge, stage = SequentialJudge(of_two_strata()), Stage(10)
    frames = at(stage.sample(12), AT_5)
    undisturbed = SequentialJudge(of_two_strata())
    whole = [undisturbed.update(frame) for frame in frames]
    mixed = [one for frame in frames for one in (frame, *at([dataclasses.replace(frame)], acquisition))]
    verdicts = judged(judge, mixed)
    assert verdicts[0::2] == whole
    assert {verdict.cause for verdict in verdicts[1::2]} == {Cause.SETTINGS}
    assert verdicts[1].not_judged == f"the instrument says {says}; the calibration holds for SE2, 5 kV; SE2, 20 kV"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -5e3, 0.0, 5e-324, 1.8e308])
def test_no_number_of_the_metadata_is_too_odd_for_a_stratum(value: float) -> None:
    assert stratum_of(Acquisition(detector=" \0\n ", acceleration_voltage_v=value, magnification=value, dwell_s=value)) == ""


def test_forty_strata_in_a_day_keep_the_state_small_and_are_told() -> None:
    judge, stage = SequentialJudge(of_two_strata()), Stage(12)
    frames = [
        one for kv in range(40) for one in at(stage.sample(6), Acquisition(detector="D" * 400, acceleration_voltage_v=1e3 * (30 + kv)))
    ]
    verdicts = judged(judge, frames)
    assert len({verdict.not_judged for verdict in verdicts}) == 40
    assert judge.not_watched.startswith(f"{WINDOW} of the last {WINDOW} frames were not judged: the instrument says DDDD")


# settings that the calibration does not tell


def test_a_wrong_first_sample_does_not_make_everything_else_unjudged() -> None:
    judge, stage = SequentialJudge(fitted()), Stage(13)
    wrong, usual = at(stage.sample(6), AT_20), at([frame for _ in range(8) for frame in stage.sample(12)], AT_5)
    verdicts = judged(judge, wrong + usual)
    assert [verdict.cause for verdict in verdicts[:12]] == [None] * 6 + [Cause.SETTINGS] * 6
    assert {verdict.state for verdict in verdicts[12:]} == {DriftState.IN_CONTROL}
    assert "SE2, 5 kV" in judged(judge, at(stage.sample(1), AT_20))[0].not_judged


def test_an_episode_of_settings_that_are_outvoted_is_closed_with_that_reason() -> None:
    judge, stage = SequentialJudge(fitted()), Stage(14)
    wrong, usual = at(stage.sample(12, shift=FILAMENT), AT_20), at([frame for _ in range(4) for frame in stage.sample(12)], AT_5)
    changes = [change for verdict in judged(judge, wrong + usual) for change in verdict.changes]
    assert [change.phase for change in changes if change.phase is not Phase.UPDATED] == [Phase.OPENED, Phase.CLOSED]
    assert changes[-1].reason == "Most frames are taken at other settings, SE2, 5 kV."
    assert judge.open_kinds == []


def test_settings_that_have_led_by_far_stay_the_usual_ones() -> None:
    judge, stage = SequentialJudge(fitted()), Stage(15)
    changes_of(judge, at([frame for _ in range(1 + SETTLED // 12) for frame in stage.sample(12)], AT_5))
    verdicts = judged(judge, at([frame for _ in range(20) for frame in stage.sample(12)], AT_20))
    assert {verdict.cause for verdict in verdicts} == {Cause.SETTINGS}
    assert judge.not_watched
    assert judged(judge, at(stage.sample(WINDOW), AT_5))[-1].state is DriftState.IN_CONTROL
    assert not judge.not_watched


def test_a_stream_is_called_unwatched_from_half_of_its_frames_on_and_one_without_a_calibration_never() -> None:
    judge, none, stage = SequentialJudge(of_two_strata()), SequentialJudge(None), Stage(16)
    changes_of(judge, at(stage.sample(12), AT_5))
    for number, frame in enumerate(stage.sample(2 * MANY), start=1):
        judge.update(frame)
        none.update(frame)
        assert bool(judge.not_watched) is (number >= MANY)
    assert none.not_watched == ""


# configuration and upgrades


def test_rules_for_samples_and_lots_that_change_between_runs_begin_a_new_sample_and_keep_the_evidence() -> None:
    before, stage = SequentialJudge(fitted()), Stage(17)
    changes_of(before, [frame for _ in range(4) for frame in stage.sample(12)])
    for rename in ("by another rule", None):
        for declared in (None, "ebc"):
            judge = SequentialJudge(fitted())
            judge.restore(before.to_json())
            frames = [dataclasses.replace(frame, declared_lot=declared) for frame in named(stage.sample(24), rename)]
            assert {verdict.state for verdict in judged(judge, frames)} == {DriftState.IN_CONTROL}


def test_a_fresh_judge_takes_over_the_ensemble_and_the_usual_settings_and_no_evidence() -> None:
    old, stage = SequentialJudge(fitted()), Stage(18)
    lacking = [
        dataclasses.replace(frame, score=dataclasses.replace(frame.score, members_answering=4, members_missing=("member 1",)))
        for frame in at(stage.sample(60), AT_5)
    ]
    (degraded,) = changes_of(old, lacking)
    changes_of(old, at(stage.sample(6, shift=FILAMENT), AT_5)[:2])
    new = SequentialJudge(calibration(16, seed=1))
    new.take_over(old)
    assert new.open_kinds == [Kind.DEGRADED]
    assert new.degradation == old.degradation
    assert judged(new, at(stage.sample(1), AT_20))[0].cause is Cause.SETTINGS
    closed = [change for verdict in judged(new, at(stage.sample(12), AT_5)) for change in verdict.changes]
    assert [(change.phase, change.episode, change.revision) for change in closed] == [(Phase.CLOSED, degraded.episode, 1)]
    assert old.open_kinds[-1] is Kind.DEGRADED  # the other judge is left as it was


@pytest.mark.parametrize("damage", [lambda text: text.replace('"lot":', '"lost":'), lambda text: text[:-20]])
def test_a_damaged_state_is_refused(damage: Any) -> None:
    judge = SequentialJudge(fitted())
    changes_of(judge, Stage(0).sample(3))
    with pytest.raises(ValueError, match=r"damaged|Unterminated|delimiter|Expecting"):
        SequentialJudge(fitted()).restore(damage(judge.to_json()))
