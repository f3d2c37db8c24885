"""What is foretold of a shift: sooner when it is larger, and refused when nothing is known of it."""

from __future__ import annotations

from functools import lru_cache

import pytest

from edge_agent.core.shift import WORDS, Shift
from edge_agent.core.verdict import Phase
from edge_agent.drift import DriftSettings, SequentialJudge, as_if, foresee
from edge_agent.simulate import known_changes
from tests.streams import FILAMENT, Stage, calibration

SETTINGS = DriftSettings(false_alarms_per_month=4.0)


@lru_cache(maxsize=1)
def fitted():
    return calibration()


def test_a_stronger_change_is_told_sooner_and_nothing_is_told_of_hardly_any():
    strong, mild, hardly = (foresee(fitted(), SETTINGS, Shift.parse(f"filament {strength}")) for strength in (1, 0.1, 0.001))
    assert strong.frames is not None
    assert mild.frames is not None
    assert strong.frames < mild.frames
    assert strong.in_first_sample == 1.0
    assert hardly.frames is None
    assert "mostly be missed" in str(hardly)


def test_what_is_foretold_comes_true():
    """The judge itself, on the test's own streams, needs about as many frames as was said."""
    share = 0.1
    foretold = foresee(fitted(), SETTINGS, Shift.parse(f"filament {share}"))
    delays = []
    for seed in range(20):
        judge, stage = SequentialJudge(fitted(), SETTINGS), Stage(seed + 100)
        for number in range(5):
            for frame in stage.sample(32, ("ebc", "powder")[number % 2]):
                judge.update(frame)
        shown = 0
        for number in range(20):
            for frame in stage.sample(32, ("ebc", "powder")[number % 2], tuple(share * part for part in FILAMENT)):
                shown += 1
                if any(change.phase is Phase.OPENED for change in judge.update(frame).changes):
                    delays.append(shown)
                    break
            if len(delays) > seed:
                break
    assert foretold.frames is not None
    assert sorted(delays)[len(delays) // 2] == pytest.approx(foretold.frames, rel=0.6)


def test_a_change_that_was_never_calibrated_is_refused():
    with pytest.raises(ValueError, match="does not know what a loss of focus does"):
        foresee(fitted(), SETTINGS, Shift.parse("blur +1 px"))
    with pytest.raises(ValueError, match="up to 1, not 2"):
        foresee(fitted(), SETTINGS, Shift.parse("filament 2"))


def test_words_mean_the_changes_that_calibrations_learn():
    assert set(WORDS.values()) == {change.name for change in known_changes()}


@pytest.mark.parametrize(
    ("words", "change", "strength"),
    [("noise +15 %", "rise in noise", 0.15), ("Dose \N{MINUS SIGN}30%", "loss of dose", 0.3), ("blur + 0.5px", "loss of focus", 0.5)],
)
def test_words_are_read_as_people_write_them(words, change, strength):
    shift = Shift.parse(words)
    assert (shift.change, shift.strength) == (change, strength)


@pytest.mark.parametrize("words", ["", "noise", "noise -15 %", "blur +0.5 %", "warp +1 px", "filament 0", "noise +nan %"])
def test_other_words_are_refused_with_examples(words):
    with pytest.raises(ValueError, match="dose -30 %"):
        Shift.parse(words)


def test_more_samples_tell_sooner_and_fewer_later():
    mild = Shift.parse("filament 0.12")
    few, as_it_is, many = (foresee(as_if(fitted(), samples), SETTINGS, mild).frames for samples in (6, 12, 100))
    assert as_if(fitted(), 12) == fitted()
    assert many is not None
    assert as_it_is is None or many <= as_it_is
    assert few is None or few > many
