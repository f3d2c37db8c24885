import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from edge_agent.core.calibration_scores import CalibrationScores
from edge_agent.core.prediction import ModelIdentity, Prediction
from edge_agent.uncertainty import entropy, mutual_information, referral_threshold, score

LOTS = ("ebc", "powder", "superalloy")


def answer(probabilities, distances=None, grid=None):
    p = np.asarray(probabilities, np.float32)
    d = np.ones(p.shape[:2], np.float32) if distances is None else np.asarray(distances, np.float32)
    return Prediction(p, d, grid or (1, len(p)), LOTS, ModelIdentity("m", "1", "0" * 64), p.shape[1], 0.0)


def equal(values):
    return CalibrationScores(np.array(values), np.full(len(values), 1 / max(len(values), 1)), len(values))


@st.composite
def answers(draw):
    rows, columns, members = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 6))
    raw = draw(npst.arrays(np.float64, (rows * columns, members, 3), elements=st.floats(0, 1)))
    raw[..., 0] += 1e-9
    distances = draw(npst.arrays(np.float64, (rows * columns, members), elements=st.floats(0, 1e6)))
    return answer(raw / raw.sum(axis=-1, keepdims=True), distances, (rows, columns))


@given(answers())
def test_scores_stay_within_what_information_theory_allows(prediction):
    found = score(prediction)
    assert 0 <= found.mutual_information <= found.entropy + 1e-6
    assert found.entropy <= round(math.log(3), 6)
    assert 1 / 3 - 1e-6 <= found.confidence <= 1 + 1e-6
    assert all(0 <= value <= round(math.log(3), 6) for row in found.field_entropy for value in row)
    assert (len(found.field_entropy), len(found.field_entropy[0])) == prediction.grid
    assert math.isfinite(found.distance)


@given(answers(), st.randoms())
def test_the_order_of_members_and_fields_does_not_matter(prediction, random):
    fields, members = list(range(len(prediction.probabilities))), list(range(prediction.probabilities.shape[1]))
    random.shuffle(fields)
    random.shuffle(members)
    shuffled = answer(prediction.probabilities[fields][:, members], prediction.distances[fields][:, members], prediction.grid)
    one, other = score(prediction), score(shuffled)
    for name in ("confidence", "entropy", "mutual_information", "distance"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=2e-6)


@given(answers())
def test_the_frame_score_is_made_of_the_public_quantities(prediction):
    per_member = prediction.probabilities.astype(np.float64).mean(axis=0)
    found = score(prediction)
    assert found.entropy == pytest.approx(float(entropy(per_member.mean(axis=0))), abs=1e-6)
    assert found.mutual_information == pytest.approx(float(mutual_information(per_member)), abs=2e-6)


def test_members_that_contradict_each_other_disagree_and_members_that_doubt_alike_do_not():
    contradicting = score(answer([[[1, 0, 0], [0, 1, 0]]]))
    doubting = score(answer([[[0.5, 0.5, 0], [0.5, 0.5, 0]]]))
    assert contradicting.entropy == doubting.entropy == 0.693147
    assert (contradicting.mutual_information, doubting.mutual_information) == (0.693147, 0.0)


def test_the_map_keeps_the_place_of_the_field_in_doubt():
    p = np.tile([1.0, 0.0, 0.0], (6, 2, 1))
    p[4] = [0.5, 0.5, 0.0]
    assert score(answer(p, grid=(2, 3))).field_entropy == ((0.0, 0.0, 0.0), (0.0, 0.693147, 0.0))


def test_the_distance_is_the_mean_over_fields_of_the_logarithm_of_the_members_mean():
    p = np.tile([1.0, 0.0, 0.0], (2, 2, 1))
    assert score(answer(p, [[1, 3], [4, 12]])).distance == round((math.log(2) + math.log(8)) / 2, 6)


@pytest.mark.parametrize(("threshold", "referred"), [(None, False), (0.6, True), (0.693147, False), (0.7, False)])
def test_a_frame_is_referred_when_its_entropy_is_above_the_threshold(threshold, referred):
    assert score(answer([[[0.5, 0.5, 0.0]]]), threshold).referred is referred


@pytest.mark.parametrize(
    ("calibration", "p_value"),
    [
        (None, None),
        ({}, None),
        ({"ebc": equal([])}, None),
        ({"powder": equal([1.0])}, None),
        ({"ebc": equal([-1.0, 0.0, 1.0])}, 0.75),
    ],
)
def test_the_p_value_is_read_within_the_predicted_lot_and_is_missing_without_its_calibration(calibration, p_value):
    assert score(answer([[[1, 0, 0]]]), None, calibration).p_value == p_value


def test_the_p_value_is_smoothed_as_asked():
    assert score(answer([[[1, 0, 0]]]), None, {"ebc": equal([-1.0, 0.0, 1.0])}, 0.25).p_value == (1 + 0.25 * 2) / 4


@pytest.mark.parametrize("shape", [(0, 2, 3), (2, 0, 3), (3, 2, 3)])
def test_an_answer_without_fields_or_members_or_of_another_grid_is_refused(shape):
    with pytest.raises(ValueError, match="nothing that could be scored"):
        score(answer(np.ones(shape), grid=(1, 2)))


POINTS = [(1.0, 0.8), (0.7, 0.1), (0.9, 0.3)]


@pytest.mark.parametrize(("coverage", "threshold"), [(0.7, 0.1), (0.8, 0.2), (0.9, 0.3), (1.0, 0.8)])
def test_a_referral_threshold_is_looked_up_or_interpolated(coverage, threshold):
    assert referral_threshold(POINTS, coverage) == pytest.approx(threshold)


@pytest.mark.parametrize(("points", "coverage"), [(POINTS, 0.5), (POINTS, 1.01), ([], 0.9)])
def test_a_coverage_that_was_not_measured_is_refused(points, coverage):
    with pytest.raises(ValueError, match="was not measured"):
        referral_threshold(points, coverage)


def test_what_fewer_members_say_has_no_p_value_and_goes_to_a_person_where_frames_do():
    calibration = {lot: equal([0.0, 1.0]) for lot in LOTS}
    whole = answer([[[0.9, 0.05, 0.05]] * 2])
    lacking = dataclasses.replace(whole, members_expected=3, members_stale=("member 2 (seed 5)",))
    assert (score(whole, 5.0, calibration).p_value, score(whole, 5.0, calibration).referred) == (1.0, False)
    found = score(lacking, 5.0, calibration)
    assert (found.p_value, found.referred) == (None, True)
    assert (found.members_answering, found.members_missing, found.members_stale) == (2, (), ("member 2 (seed 5)",))
    assert score(lacking).referred is False
