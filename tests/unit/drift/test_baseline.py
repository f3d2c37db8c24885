"""Re-basing: quiet on what the operator called usual, as wakeful as before to what comes after, and never from too little."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest

from edge_agent.core.verdict import Phase
from edge_agent.drift import SequentialJudge
from edge_agent.drift.baseline import Rebase, rebased
from edge_agent.drift.components import COMPONENTS, component_values
from edge_agent.drift.judge import CHANGED
from edge_agent.drift.rebasing import SAMPLES_TO_REBASE, BaselineFrame, count_samples, estimate_rebase
from tests.streams import FILAMENT, NOTHING, Stage, calibration

SEVERE = tuple(3 * shift for shift in FILAMENT)


@lru_cache(maxsize=1)
def fitted():
    return calibration()


def frames_of(observations):
    return [BaselineFrame(one.score.lot, one.ref.sample, component_values(one.score, one.statistics)) for one in observations]


def drawn(stage, samples=24, shift=SEVERE, frames=12, lots=("ebc", "powder")):
    return [one for number in range(samples) for one in stage.sample(frames, lots[number % len(lots)], shift)]


def opened(judge, observations):
    return [change for one in observations for change in judge.update(one).changes if change.phase is Phase.OPENED]


def test_a_severe_change_that_was_rebased_is_usual_and_the_next_change_is_not():
    stage = Stage(11)
    rebase = estimate_rebase(fitted(), frames_of(drawn(stage)))
    quiet = SequentialJudge(rebased(fitted(), rebase))
    assert opened(SequentialJudge(fitted()), drawn(stage, 2))
    assert opened(quiet, drawn(stage, 150)) == []
    farther = tuple(before + more for before, more in zip(SEVERE, FILAMENT, strict=True))
    assert len(opened(quiet, drawn(stage, 1, farther))) == 1
    back = SequentialJudge(rebased(fitted(), rebase))
    assert len(opened(back, drawn(stage, 2, NOTHING))) == 1, "the old condition is a change from the new one"


def test_shrinking_leaves_next_to_nothing_of_a_real_change_behind():
    rebase = estimate_rebase(fitted(), frames_of(drawn(Stage(12), SAMPLES_TO_REBASE)))
    for lot in fitted().lots:
        left = SEVERE[COMPONENTS.index("log_noise")] - rebase.cells[""][lot]["log_noise"].offset
        assert abs(left) < 0.1, "an unlimited shrinkage would leave 8/28 of 4.5"


def test_what_has_not_moved_stays_nearer_to_the_calibration_than_the_samples_say():
    frames = frames_of(drawn(Stage(13), 24, NOTHING, lots=("ebc",)))
    rebase = estimate_rebase(fitted(), frames)
    for place, name in enumerate(COMPONENTS):
        said = sum(frame.values[place] for frame in frames) / len(frames) - fitted().lots["ebc"].spread[name].centre
        for lot in fitted().lots:
            assert abs(rebase.cells[""][lot][name].offset) < abs(said)
        assert 0.5 < rebase.cells[""]["ebc"][name].between < 2


def test_a_lot_with_six_samples_has_its_own_offset_and_one_with_five_the_shared_one():
    stage = Stage(14)
    more = tuple(shift + 0.15 for shift in NOTHING)
    own = estimate_rebase(fitted(), frames_of(drawn(stage, 18, NOTHING, lots=("ebc",)) + drawn(stage, 6, more, lots=("powder",))))
    shared = estimate_rebase(fitted(), frames_of(drawn(stage, 18, NOTHING, lots=("ebc",)) + drawn(stage, 5, more, lots=("powder",))))
    assert own.cells[""]["powder"]["log_noise"].offset > 0.05
    assert abs(own.cells[""]["ebc"]["log_noise"].offset) < 0.03
    few, without = shared.cells[""]["powder"]["log_noise"], estimate_rebase(fitted(), frames_of(drawn(Stage(15), 20, lots=("ebc",))))
    assert few.offset != own.cells[""]["powder"]["log_noise"].offset
    assert without.cells[""]["powder"]["log_noise"].offset == pytest.approx(SEVERE[5], abs=0.2), "an unseen lot moves with the others"


def test_a_wider_spread_is_learnt_and_a_mixture_of_conditions_is_refused():
    stage = Stage(16)
    wide = [one for number in range(24) for one in stage.sample(12, shift=tuple((-1) ** number * 0.04 for _ in NOTHING))]
    narrow = estimate_rebase(fitted(), frames_of(drawn(stage, 24, NOTHING, lots=("ebc",))))
    assert estimate_rebase(fitted(), frames_of(wide)).cells[""]["ebc"]["mean"].between >= narrow.cells[""]["ebc"]["mean"].between
    mixture = drawn(stage, 12, NOTHING) + drawn(stage, 12, SEVERE)
    with pytest.raises(ValueError, match=r"do not agree with each other: their \w+ varies \d+\.\d times"):
        estimate_rebase(fitted(), frames_of(mixture))
    rubbish = stage.sample(12, shift=tuple(9.0 for _ in NOTHING))
    with pytest.raises(ValueError, match=f"{rubbish[0].ref.sample} being the oddest"):
        estimate_rebase(fitted(), frames_of(drawn(stage, 24) + rubbish))


def test_too_few_samples_are_counted_and_refused_however_many_frames_there_are():
    stage = Stage(17)
    frames = frames_of(drawn(stage, SAMPLES_TO_REBASE - 1, frames=40))
    with pytest.raises(ValueError, match="needs 20 samples since the change, and there are 19"):
        estimate_rebase(fitted(), frames)
    with pytest.raises(ValueError, match="there are 19"):
        estimate_rebase(fitted(), [*frames, *(BaselineFrame("no such lot", "new", frames[0].values) for _ in range(9))])


def test_a_name_that_comes_back_is_one_sample_and_without_names_a_run_of_one_lot_is():
    named = [BaselineFrame("ebc", name, (0.0,) * 7) for name in "aabbaac"]
    assert count_samples(named) == 3
    runs = [BaselineFrame(lot, None, (0.0,) * 7) for lot in ("ebc", "powder", "ebc") for _ in range(CHANGED)]
    assert count_samples(runs) == 3


def test_without_names_a_predicted_lot_that_flickers_is_one_sample_and_a_declared_one_is_believed_at_once():
    lots = ("ebc", "ebc", "powder", "ebc") * 20
    assert count_samples([BaselineFrame(lot, None, (0.0,) * 7) for lot in lots]) == 1
    assert count_samples([BaselineFrame(lot, None, (0.0,) * 7, is_declared=True) for lot in lots[:4]]) == 3


def test_a_sample_of_one_frame_counts():
    rebase = estimate_rebase(fitted(), frames_of(drawn(Stage(18), 30, frames=1)))
    assert (rebase.samples, rebase.frames) == (30, 30)
    assert rebase.cells[""]["ebc"]["mean"].within == 1.0


def test_a_rebase_survives_json_and_makes_the_same_baseline():
    rebase = estimate_rebase(fitted(), frames_of(drawn(Stage(19))))
    again = Rebase.model_validate_json(rebase.model_dump_json())
    assert again == rebase
    assert rebased(fitted(), again).digest == rebased(fitted(), rebase).digest != fitted().digest


def test_tables_move_with_their_spreads_and_stay_in_order():
    moved = rebased(fitted(), estimate_rebase(fitted(), frames_of(drawn(Stage(20))))).lots["ebc"]
    before = fitted().lots["ebc"]
    type(before).model_validate(moved.model_dump())
    shift = moved.spread["distance"].centre - before.spread["distance"].centre
    middle = len(before.distance) // 2
    assert moved.distance[middle] - before.distance[middle] == pytest.approx(shift, abs=0.1)
    assert moved.entropy[middle] > before.entropy[middle]


def test_a_rebase_of_another_calibration_is_refused():
    rebase = estimate_rebase(fitted(), frames_of(drawn(Stage(21))))
    with pytest.raises(ValueError, match="another calibration"):
        rebased(calibration(seed=1), rebase)


def test_a_rebase_holds_for_the_settings_its_samples_were_taken_at():
    stage = Stage(22)
    at = "SE2, 5 kV"
    frames = [replace(frame, stratum=at) for frame in frames_of(drawn(stage))]
    other = [replace(frame, stratum="SE2, 20 kV") for frame in frames_of(drawn(stage, 30, NOTHING))]
    rebase = estimate_rebase(fitted(), other + frames)
    assert (rebase.stratum, rebase.samples) == (at, 24)
    made = rebased(fitted(), rebase)
    assert (made.stratum, list(made.strata)) == (at, [])


def test_every_calibrated_stratum_moves_and_one_that_is_not_calibrated_does_not_count():
    stage = Stage(23)
    two = fitted().model_copy(update={"stratum": "SE2, 5 kV", "strata": {"SE2, 20 kV": fitted().lots}})
    low = [replace(frame, stratum="SE2, 5 kV") for frame in frames_of(drawn(stage))]
    high = [replace(frame, stratum="SE2, 20 kV") for frame in frames_of(drawn(stage, 12, NOTHING, lots=("ebc",)))]
    unknown = [replace(frame, stratum="InLens, 5 kV") for frame in frames_of(drawn(stage, 40, NOTHING))]
    rebase = estimate_rebase(two, low + unknown)
    assert rebase.samples == 24
    assert rebase.cells["SE2, 20 kV"]["ebc"]["log_noise"].offset == pytest.approx(SEVERE[5], abs=0.1)
    made = rebased(two, rebase)
    assert (made.stratum, list(made.strata)) == ("SE2, 5 kV", ["SE2, 20 kV"])
    own = estimate_rebase(two, low + high)
    assert abs(own.cells["SE2, 20 kV"]["ebc"]["log_noise"].offset) < 0.1
    assert own.cells["SE2, 5 kV"]["ebc"]["log_noise"].offset == pytest.approx(SEVERE[5], abs=0.1)
    with pytest.raises(ValueError, match="there are 0"):
        estimate_rebase(two, unknown)
