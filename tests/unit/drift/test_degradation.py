"""An ensemble that is not whole: one episode of its own, and nothing it says is held against the calibration."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Any

import pytest

from edge_agent.core.verdict import DriftState, EpisodeChange, Kind, Observation, Phase
from edge_agent.drift import Calibration, SequentialJudge
from tests.streams import FILAMENT, Stage, calibration


@lru_cache(maxsize=1)
def fitted() -> Calibration:
    return calibration()


def without(frames: list[Observation], *missing: str, stale: tuple[str, ...] = ()) -> list[Observation]:
    """The same frames, answered by fewer members."""
    left = 5 - len(missing) - len(stale)
    changes: dict[str, Any] = {"members_answering": left, "members_missing": missing, "members_stale": stale}
    return [dataclasses.replace(frame, score=dataclasses.replace(frame.score, **changes)) for frame in frames]


def changes_of(judge: SequentialJudge, frames: list[Observation]) -> list[EpisodeChange]:
    return [change for frame in frames for change in judge.update(frame).changes]


def story(changes: list[EpisodeChange]) -> list[tuple[Phase, Kind]]:
    return [(change.phase, change.kind) for change in changes]


def mixed(stage: Stage, lacking: int, whole: int, **how: Any) -> list[Observation]:
    """A sample whose first frames lack a member."""
    frames = stage.sample(lacking + whole, **how)
    return [*without(frames[:lacking], "member 1"), *frames[lacking:]]


def drifts(changes: list[EpisodeChange]) -> list[tuple[Phase, Kind]]:
    """What the drift detector told, beside the ensemble's own episode."""
    return [told for told in story(changes) if told[1] is not Kind.DEGRADED]


ONCE = [(Phase.OPENED, Kind.DEGRADED), (Phase.CLOSED, Kind.DEGRADED)]


@pytest.mark.parametrize("judge", [SequentialJudge(fitted()), SequentialJudge(None)], ids=["calibrated", "uncalibrated"])
def test_missing_members_open_one_episode_that_ends_with_them(judge: SequentialJudge) -> None:
    stage = Stage(8)
    lacking = without(stage.sample(12), "member 4 (seed 4)", "member 5 (seed 5)")
    changes = changes_of(judge, stage.sample(12) + lacking)
    assert story(changes) == ONCE[:1]
    assert judge.open_kinds == [Kind.DEGRADED]
    assert changes[0].reason == judge.degradation
    assert judge.degradation.startswith("3 of 5 members answer: member 4 (seed 4), member 5 (seed 5) missing")
    assert "not comparable with the calibration" in judge.degradation
    assert changes[0].onset == lacking[0].ref
    assert changes[0].evidence == (lacking[0].ref, lacking[2].ref)
    changes += changes_of(judge, stage.sample(12))
    assert story(changes) == ONCE
    assert [change.revision for change in changes] == [0, 1]
    assert (judge.open_kinds, judge.degradation) == ([], "")


def test_a_frame_now_and_then_that_spoils_a_member_is_no_episode_and_a_stale_member_is_one_at_once() -> None:
    judge, stage = SequentialJudge(fitted()), Stage(8)
    spoiled = [frame for _ in range(6) for frame in [*without(stage.sample(1), "member 1"), *stage.sample(3)]]
    assert changes_of(judge, spoiled) == []
    (opened,) = changes_of(judge, without(stage.sample(1), stale=("member 3 (seed 3)",)))
    assert "member 3 (seed 3) stale" in opened.reason


@pytest.mark.parametrize(("lacking", "whole"), [(2, 1), (1, 1), (3, 3)])
def test_a_member_that_is_missing_ever_so_often_is_one_episode_that_lasts(lacking: int, whole: int) -> None:
    judge, stage = SequentialJudge(fitted()), Stage(8)
    frames = [frame for _ in range(20) for frame in mixed(stage, lacking, whole)]
    assert story(changes_of(judge, frames)) == ONCE[:1]
    assert story(changes_of(judge, stage.sample(12))) == ONCE[1:]


def test_a_member_that_comes_and_goes_makes_no_further_alerts_and_another_one_is_told() -> None:
    judge, stage = SequentialJudge(fitted()), Stage(8)
    frames = without(stage.sample(4), "member 1")
    frames += [frame for _ in range(5) for frame in [*stage.sample(2), *without(stage.sample(1), "member 1")]]
    frames += without(stage.sample(3), "member 1", stale=("member 2",))
    changes = changes_of(judge, frames)
    assert story(changes) == [(Phase.OPENED, Kind.DEGRADED), (Phase.UPDATED, Kind.DEGRADED)]
    assert changes[1].reason.startswith("3 of 5 members answer: member 1 missing (no finite probabilities); member 2 stale")


def test_members_that_come_back_are_no_longer_named_while_others_are_missing() -> None:
    judge, stage = SequentialJudge(fitted()), Stage(8)
    changes = changes_of(judge, without(stage.sample(4), "member 1", "member 2") + without(stage.sample(2), "member 2"))
    assert story(changes) == ONCE[:1]
    assert judge.degradation.startswith("4 of 5 members answer: member 2 missing")
    assert changes_of(judge, stage.sample(12))[-1].reason == "Every member answers again (member 1, member 2)."


def test_what_fewer_members_say_never_reaches_the_drift_detector() -> None:
    """The same frames, as strange to the network as can be, raise an alarm when all members say so and none when some are left out."""
    far = (2.0, 2.0, 9.0, 0.0, 0.0, 0.0, 0.0)
    alarmed, deaf, stage = SequentialJudge(fitted()), SequentialJudge(fitted()), Stage(3)
    strange = stage.sample(12, shift=far) + stage.sample(12, shift=far)
    assert Kind.UNSEEN_LOT in [change.kind for change in changes_of(alarmed, strange)]
    assert {change.kind for change in changes_of(deaf, without(strange, "member 1"))} == {Kind.DEGRADED}


def test_an_acquisition_that_changes_meanwhile_is_an_episode_beside_it() -> None:
    judge, stage = SequentialJudge(fitted()), Stage(1)
    normal = [frame for _ in range(4) for frame in stage.sample(12)]
    odd = without(stage.sample(12, shift=FILAMENT), "member 1")
    changes = changes_of(judge, normal + odd)
    opened = [change for change in changes if change.phase is Phase.OPENED]
    assert {change.kind for change in opened} >= {Kind.DEGRADED}
    assert len(opened) == len({change.episode for change in opened}) == 2
    assert len(judge.open_kinds) == 2
    changes = changes_of(judge, [frame for _ in range(3) for frame in stage.sample(12)])
    assert sorted(change.episode for change in changes if change.phase is Phase.CLOSED) == sorted(change.episode for change in opened)
    assert judge.open_kinds == []


def test_an_open_drift_episode_is_not_closed_by_frames_that_only_some_members_saw() -> None:
    judge, stage = SequentialJudge(fitted()), Stage(3)
    far = (0.5, 0.5, 3.0, 0.0, 0.0, 0.0, 0.0)
    changes_of(judge, [frame for _ in range(3) for frame in stage.sample(12)] + stage.sample(12, shift=far))
    assert judge.open_kinds == [Kind.UNSEEN_LOT]
    changes_of(judge, without(stage.sample(12, shift=far) + stage.sample(12, shift=far), "member 1"))
    assert judge.open_kinds == [Kind.UNSEEN_LOT, Kind.DEGRADED]
    assert changes_of(judge, stage.sample(2)) == []


def test_a_degraded_ensemble_is_no_drift() -> None:
    for judge, standing in ((SequentialJudge(None), DriftState.UNCALIBRATED), (SequentialJudge(fitted()), DriftState.IN_CONTROL)):
        verdicts = [judge.update(frame) for frame in without(Stage(3).sample(4), "member 1")]
        assert {verdict.state for verdict in verdicts} == {standing}
        assert all((verdict.statistic is None) == (standing is DriftState.UNCALIBRATED) for verdict in verdicts)


def test_a_restart_between_any_two_frames_changes_nothing() -> None:
    stage = Stage(11)
    stream = stage.sample(2) + without(stage.sample(5), "member 1") + stage.sample(2) + without(stage.sample(2), stale=("member 2",))
    stream += stage.sample(5) + without(stage.sample(1), "member 3") + stage.sample(3)
    undisturbed = SequentialJudge(fitted())
    state = undisturbed.to_json()
    for frame in stream:
        restarted = SequentialJudge(fitted())
        restarted.restore(state)
        assert restarted.degradation == undisturbed.degradation
        assert restarted.update(frame) == undisturbed.update(frame)
        state = restarted.to_json()
        assert state == undisturbed.to_json()


FAR = (0.5, 0.5, 3.0, 0.0, 0.0, 0.0, 0.0)


def interleaved(frames: list[Observation]) -> list[Observation]:
    """The same frames, of which every member answers one in three."""
    return [frame if number % 3 == 2 else without([frame], "member 1")[0] for number, frame in enumerate(frames)]


def test_frames_that_lack_members_do_not_dilute_what_the_whole_ones_say() -> None:
    judge, stage = SequentialJudge(fitted()), Stage(3)
    somewhat = (0.6, 0.6, 0.6, 0.0, 0.0, 0.0, 0.0)  # beyond the limit as a mean of several frames, not in any one of them
    changes = changes_of(judge, interleaved(stage.sample(24) + stage.sample(24, shift=somewhat)))
    assert drifts(changes)[0] == (Phase.OPENED, Kind.UNSEEN_LOT)


def test_samples_that_the_ensemble_did_not_answer_take_nothing_from_the_sums_over_samples() -> None:
    judge, stage = SequentialJudge(fitted()), Stage(6)
    a_little = (0.1, 0.1, 0.1, 0.0, 0.0, 0.0, 0.0)
    frames = [frame for _ in range(30) for frame in [*stage.sample(12, shift=a_little), *mixed(stage, 12, 0), *mixed(stage, 12, 0)]]
    assert [phase for phase, _ in drifts(changes_of(judge, frames))][:1] == [Phase.OPENED]


def test_one_odd_frame_alone_raises_no_alarm_among_frames_that_lack_members() -> None:
    judge, stage = SequentialJudge(fitted()), Stage(3)
    changes_of(judge, stage.sample(12))
    odd, *rest = stage.sample(12, shift=FAR)
    assert drifts(changes_of(judge, [odd, *without(rest, "member 1")])) == []


def test_an_episode_ends_although_a_member_is_missing_now_and_then() -> None:
    judge, stage = SequentialJudge(fitted()), Stage(3)
    assert drifts(changes_of(judge, stage.sample(12) + stage.sample(12, shift=FAR))) == [(Phase.OPENED, Kind.UNSEEN_LOT)]
    back = [frame for _ in range(5) for frame in mixed(stage, 1, 4)]
    assert drifts(changes_of(judge, back)) == [(Phase.CLOSED, Kind.UNSEEN_LOT)]


@pytest.mark.parametrize(("how", "kind"), [({"shift": FILAMENT}, Kind.ACQUISITION_CHANGE), ({"blind": 0.9}, Kind.DETECTOR_FAULT)])
def test_what_is_of_the_acquisition_ends_without_the_ensemble(how: dict[str, Any], kind: Kind) -> None:
    judge, stage = SequentialJudge(fitted()), Stage(1)
    changes = changes_of(judge, stage.sample(12) + stage.sample(12, **how))
    assert drifts(changes)[0] == (Phase.OPENED, kind)
    changes = changes_of(judge, without(stage.sample(12) + stage.sample(12), "member 1"))
    assert drifts(changes) == [(Phase.CLOSED, kind)]


def test_frames_that_lack_members_revise_no_kind() -> None:
    judge, stage = SequentialJudge(fitted()), Stage(3)
    assert drifts(changes_of(judge, stage.sample(12) + stage.sample(12, shift=FAR))) == [(Phase.OPENED, Kind.UNSEEN_LOT)]
    assert drifts(changes_of(judge, without(stage.sample(12, shift=FILAMENT), "member 1"))) == []


def test_a_strange_acquisition_that_nothing_explains_may_be_a_new_lot_when_the_network_is_not_heard() -> None:
    noise = (0.0, 0.0, 0.0, 0.0, 0.0, -3.0, 0.0)
    for lacking, kind in ((0, Kind.ACQUISITION_CHANGE), (12, Kind.UNDETERMINED)):
        judge, stage = SequentialJudge(fitted()), Stage(3)
        changes_of(judge, stage.sample(12))
        assert drifts(changes_of(judge, mixed(stage, lacking, 12 - lacking, shift=noise))) == [(Phase.OPENED, kind)]
        if lacking:
            assert drifts(changes_of(judge, without(stage.sample(12), "member 1"))) == [(Phase.CLOSED, kind)]


def test_a_file_name_that_is_no_unicode_can_open_either_episode() -> None:
    judge, stage = SequentialJudge(fitted()), Stage(1)
    frames = stage.sample(12) + stage.sample(12, shift=FILAMENT) + without(stage.sample(4), "member 1")
    changes = changes_of(judge, [dataclasses.replace(frame, ref=dataclasses.replace(frame.ref, path="\udcff.tif")) for frame in frames])
    assert {change.kind for change in changes} == {Kind.ACQUISITION_CHANGE, Kind.DEGRADED}
    restarted = SequentialJudge(fitted())
    restarted.restore(judge.to_json())
    assert restarted.to_json() == judge.to_json()


def test_the_state_stays_small_while_both_episodes_are_open() -> None:
    judge, stage = SequentialJudge(fitted()), Stage(1)
    frames = stage.sample(12) + interleaved(stage.sample(12, shift=FILAMENT) + stage.sample(12, shift=FILAMENT))
    for number, frame in enumerate(frames):
        far_down = dataclasses.replace(frame.ref, path=f"{number:03d}{'p' * 193}.tif")
        changes_of(judge, [dataclasses.replace(frame, ref=far_down)])
        assert len(judge.to_json().encode()) <= 4096
    assert len(judge.open_kinds) == 2
