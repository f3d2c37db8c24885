"""The judge: quiet on what it knows, one alert an episode, the same after any restart."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.verdict import DriftState, Kind, Phase
from edge_agent.drift import DriftSettings, SequentialJudge
from edge_agent.drift.judge_state import STATE_VERSION
from tests.streams import FILAMENT, NOTHING, Stage, calibration

FAR_AWAY = (0.5, 0.5, 3.0, 0.0, 0.0, 0.0, 0.0)


@lru_cache(maxsize=4)
def fitted(samples=12):
    return calibration(samples)


def changes_of(judge, frames):
    return [change for frame in frames for change in judge.update(frame).changes]


def story(judge, stage, *, shift, samples=2):
    normal = [frame for _ in range(4) for frame in stage.sample(12)]
    odd = [frame for _ in range(samples) for frame in stage.sample(12, shift=shift)]
    back = [frame for _ in range(2) for frame in stage.sample(12)]
    return odd, changes_of(judge, normal + odd + back)


def test_a_long_stream_of_known_samples_raises_no_alarm():
    judge, stage = SequentialJudge(fitted()), Stage(5)
    frames = [frame for number in range(150) for frame in stage.sample(12, ("ebc", "powder")[number % 2])]
    assert changes_of(judge, frames) == []


def test_an_alert_gives_no_size_beyond_where_frames_are_cut_off():
    _, near = story(SequentialJudge(fitted()), Stage(1), shift=(0, 0, 0, 0, 0, -1.0, 0))
    _, beyond = story(SequentialJudge(fitted()), Stage(1), shift=(0, 0, 90.0, 0, 0, 0, 0))
    assert re.search(r" is \d{1,2}\.\d standard deviations ", near[0].reason)
    assert re.search(r" is at least \d{1,2}\.\d standard deviations above ", beyond[0].reason)


@pytest.mark.parametrize(
    ("shift", "kind"),
    [
        pytest.param(FILAMENT, Kind.ACQUISITION_CHANGE, id="filament"),
        pytest.param(FAR_AWAY, Kind.UNSEEN_LOT, id="far from every lot"),
        pytest.param((0, 0, 0, 0, 0, -3, 0), Kind.ACQUISITION_CHANGE, id="noise falls: two-sided"),
    ],
)
def test_a_shift_is_one_episode_with_its_kind_and_its_onset(shift, kind):
    odd, changes = story(SequentialJudge(fitted()), Stage(1), shift=shift)
    assert [change.phase for change in changes if change.phase is not Phase.UPDATED] == [Phase.OPENED, Phase.CLOSED]
    opened, closed = changes[0], changes[-1]
    assert opened.kind is kind
    assert closed.kind is kind
    assert opened.onset == odd[0].ref
    assert opened.evidence[-1] in [frame.ref for frame in odd[:3]]
    assert len(opened.evidence) <= 8
    assert "reference standard" in opened.action
    assert [change.revision for change in changes] == list(range(len(changes)))


@pytest.mark.parametrize("noise", [0.15, 0.3, 0.6])
def test_a_lasting_change_is_one_episode_however_modest(noise):
    judge, stage = SequentialJudge(fitted()), Stage(11)
    changes_of(judge, [frame for number in range(10) for frame in stage.sample(12, ("ebc", "powder")[number % 2])])
    lasting = [frame for number in range(90) for frame in stage.sample(12, ("ebc", "powder")[number % 2], (0, 0, 0, 0, 0, noise, 0))]
    phases = [change.phase for change in changes_of(judge, lasting)]
    assert phases.count(Phase.OPENED) == 1
    assert Phase.CLOSED not in phases
    back = changes_of(judge, [frame for number in range(12) for frame in stage.sample(12, ("ebc", "powder")[number % 2])])
    assert [change.phase for change in back] == [Phase.CLOSED]


def test_assorted_rubbish_is_unrelated():
    judge, stage = SequentialJudge(fitted()), Stage(2)
    changes_of(judge, stage.sample(12))
    changes = changes_of(judge, stage.assorted(12))
    assert changes[-1].kind is Kind.UNRELATED


def test_rubbish_whose_mean_is_ordinary_is_found_by_what_its_frames_lack_in_common():
    judge, stage = SequentialJudge(fitted()), Stage(2)
    changes_of(judge, stage.sample(12))
    frames = []
    for number in range(12):
        shift = 4.0 if number % 2 else -4.0
        frames += stage.sample(1, shift=(0, 0, 0, 0, 0.05 * shift, shift, shift))
    name = frames[0].ref.sample
    frames = [replace(frame, ref=replace(frame.ref, sample=name)) for frame in frames]
    changes = changes_of(judge, frames)
    assert next((change.phase, change.kind) for change in changes) == (Phase.OPENED, Kind.UNRELATED)


def test_one_odd_frame_alone_raises_no_alarm():
    judge, stage = SequentialJudge(fitted()), Stage(3)
    frames = stage.sample(12) + stage.sample(12)
    frames[16] = stage.sample(1, shift=FAR_AWAY)[0]
    assert changes_of(judge, frames) == []


def test_a_change_within_a_long_sample_is_seen():
    judge, stage = SequentialJudge(fitted()), Stage(4)
    frames = stage.sample(60)
    for place in range(30, 60):
        frames[place] = stage.sample(1, shift=(0, 0, 0, 0, 0, 0.35, 0))[0]
        frames[place] = type(frames[place])(
            frames[0].ref.__class__(place, f"x/{place}.tif", 0, "S0001", frames[place].ref.at),
            frames[place].score, frames[place].statistics, frames[place].acquisition, None,
        )  # fmt: skip
    assert any(change.phase is Phase.OPENED for change in changes_of(judge, frames))


def test_a_small_lasting_shift_adds_up_over_samples_and_the_onset_is_remembered():
    judge, stage = SequentialJudge(fitted()), Stage(6)
    normal = [frame for _ in range(6) for frame in stage.sample(12)]
    odd = [frame for _ in range(25) for frame in stage.sample(12, shift=(0, 0, 0, 0, 0, 0.3, 0))]
    changes = changes_of(judge, normal + odd)
    assert changes[0].phase is Phase.OPENED
    assert changes[0].kind is Kind.ACQUISITION_CHANGE


def test_a_blind_detector_is_a_fault_after_two_frames_and_not_after_one():
    judge, stage = SequentialJudge(fitted()), Stage(7)
    assert changes_of(judge, stage.sample(6) + stage.sample(1, blind=0.9) + stage.sample(6)) == []
    changes = changes_of(judge, stage.sample(3, blind=0.9))
    assert [change.kind for change in changes] == [Kind.DETECTOR_FAULT]
    assert "service" in changes[0].action


def test_without_a_calibration_nothing_is_judged_and_it_says_so():
    judge = SequentialJudge(None)
    verdict = judge.update(Stage(0).sample(1)[0])
    assert (verdict.threshold, verdict.state, verdict.changes) == (None, DriftState.UNCALIBRATED, ())
    assert "no calibration" in judge.guarantee


def test_a_declared_lot_that_was_never_calibrated_is_not_judged():
    frame = Stage(0).sample(1)[0]
    declared = type(frame)(frame.ref, frame.score, frame.statistics, frame.acquisition, "am_meltpool")
    assert SequentialJudge(fitted()).update(declared).state is DriftState.UNCALIBRATED


def test_too_few_samples_give_no_guarantee():
    assert "No false-alarm guarantee" in SequentialJudge(fitted(3)).guarantee
    assert "No false-alarm guarantee" not in SequentialJudge(fitted()).guarantee


def test_fewer_bearable_alarms_mean_a_higher_threshold():
    frame = Stage(0).sample(1)[0]
    low, high = (SequentialJudge(fitted(), DriftSettings(false_alarms_per_month=rate)).update(frame).threshold for rate in (10.0, 0.1))
    assert low < high


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    parts=st.lists(st.sampled_from([NOTHING, FILAMENT, FAR_AWAY]), min_size=2, max_size=6),
    frames=st.integers(1, 20),
)
def test_a_restart_between_any_two_frames_changes_nothing(seed, parts, frames):
    stage = Stage(seed)
    stream = [frame for part in parts for frame in stage.sample(frames, shift=part)] + stage.assorted(3) + stage.sample(3, blind=0.9)
    undisturbed = SequentialJudge(fitted())
    state = undisturbed.to_json()
    for frame in stream:
        restarted = SequentialJudge(fitted())
        restarted.restore(state)
        assert restarted.update(frame) == undisturbed.update(frame)
        state = restarted.to_json()
        assert state == undisturbed.to_json()
        assert len(state.encode()) <= 4096


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"version": 0}, "another release"),
        ([], "another release"),
        ({"version": STATE_VERSION, "calibration": "another"}, "another calibration"),
    ],
)
def test_a_state_of_another_calibration_or_release_is_refused(state, reason):
    with pytest.raises(ValueError, match=reason):
        SequentialJudge(fitted()).restore(json.dumps(state))
