"""What the judge saw of a frame can be read back from its scored event, to the last bit."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.calibration_scores import CalibrationScores
from edge_agent.core.frame import Acquisition, AcquisitionStatistics, FileIdentity, Frame
from edge_agent.core.prediction import ModelIdentity, Prediction, Score
from edge_agent.core.verdict import DriftState, FrameRef, Observation, Verdict
from edge_agent.drift import COMPONENTS, component_values
from edge_agent.journal.history import KeptFrame
from edge_agent.pipeline.recorded import FIELDS, missing_fields, observation_of
from edge_agent.publish import Origin, frame_scored
from edge_agent.uncertainty import p_value_of, uniform_of

HASH = "8badf00d" * 8
number = st.floats(-50, 50, allow_nan=False)
share = st.floats(0, 1)
names = st.none() | st.text(min_size=1, max_size=12).filter(lambda text: text.encode("utf-8", "replace").decode() == text)
quantity = st.none() | st.floats(1e-12, 1e6)
times = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants naive bounds


def kept(observation: Observation, members_expected: int) -> KeptFrame:
    """The observation as the journal would keep it."""
    ref, score, model = observation.ref, observation.score, ModelIdentity("m", "1", "ab" * 32)
    frame = Frame(np.zeros((3, 3), np.uint8), 255.0, ref.frame_index, 9, HASH, observation.acquisition, observation.statistics)
    answer = np.full((1, score.members_answering, 2), 0.5, np.float32)
    prediction = Prediction(answer, answer[..., 0], (1, 1), ("a", "b"), model, members_expected, 0.1)
    origin = Origin("lab", FileIdentity("sem", ref.path, 1, 1), 0, 2, 3)
    event = frame_scored(origin, frame, observation, prediction, Verdict(1.0, 2.0, DriftState.IN_CONTROL), read_s=0.1)
    return KeptFrame(event.id, ref.path, ref.seq, ref.frame_index, HASH, json.loads(event.data), score.field_entropy)


@st.composite
def observations(draw) -> tuple[Observation, int]:
    answering, left_out = draw(st.integers(1, 5)), draw(st.lists(st.text("abc", min_size=1), max_size=2))
    stale = draw(st.integers(0, len(left_out)))
    score = Score(
        lot=draw(st.sampled_from(("a", "b"))),
        confidence=draw(share),
        entropy=draw(share),
        mutual_information=draw(share) if answering > 1 else 0.0,
        distance=draw(number),
        p_value=None,
        referred=draw(st.booleans()),
        field_entropy=((draw(share), draw(share)),),
        members_answering=answering,
        members_missing=tuple(left_out[stale:]),
        members_stale=tuple(left_out[:stale]),
    )
    acquisition = Acquisition(
        draw(st.none() | times), *(draw(names) for _ in range(3)), *(draw(quantity) for _ in range(8)),
        extra=draw(st.dictionaries(st.text("xyz", min_size=1), st.text("123"))),
    )  # fmt: skip
    statistics = AcquisitionStatistics(draw(share), draw(number), draw(number), draw(number), draw(share), draw(share))
    ref = FrameRef(draw(st.integers(1, 10**9)), "S1/frame 1.tif", draw(st.integers(0, 8)), draw(names), draw(times))
    return Observation(ref, score, statistics, acquisition, draw(names)), answering + len(left_out)


@given(observations())
def test_nothing_that_is_judged_is_lost_on_the_way_through_the_journal(drawn: tuple[Observation, int]) -> None:
    observation, members_expected = drawn
    record = kept(observation, members_expected)
    assert missing_fields(record.data) == []
    read_back = observation_of(record, None)
    assert read_back == observation
    assert component_values(read_back.score, read_back.statistics) == component_values(observation.score, observation.statistics)


def plain(**changes: object) -> Observation:
    score = Score("a", 0.9, 0.2, 0.1, 3.0, None, False, ((0.2,),), 2, **changes)
    ref = FrameRef(1, "S1/f.tif", 0, "S1", datetime(2026, 9, 1, tzinfo=UTC))
    return Observation(ref, score, AcquisitionStatistics(0.5, -1.0, -4.0, -2.0, 0.0, 0.0), Acquisition(), None)


@pytest.mark.parametrize("field", FIELDS)
def test_each_field_that_is_lacking_is_named(field: str) -> None:
    record = kept(plain(), 2)
    del record.data[field]
    assert missing_fields(record.data) == [field]


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_that_was_not_finite_is_named(component: str) -> None:
    record = kept(plain(), 2)
    field = {"mean": "intensity_mean"}.get(component, component)
    record.data[field] = None
    assert missing_fields(record.data) == [field]


def test_the_p_value_is_that_of_the_calibration_in_force_now() -> None:
    now = CalibrationScores(np.array([1.0, 2.0, 4.0]), np.full(3, 1 / 3), 3)
    assert observation_of(kept(plain(), 2), {"a": now}).score.p_value == p_value_of(3.0, now, uniform_of(HASH))
    assert observation_of(kept(plain(), 2), {"b": now}).score.p_value is None
    assert observation_of(kept(plain(members_missing=("m",)), 3), {"a": now}).score.p_value is None, "a member was left out"
