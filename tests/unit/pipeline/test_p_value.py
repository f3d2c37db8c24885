"""The p-value that an event carries is smoothed by the frame's own content: a repeat says the same, another frame something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_agent.core.calibration_scores import CalibrationScores
from edge_agent.core.frame import Admission, FileIdentity, SettleOutcome
from edge_agent.core.naming import NameRule
from edge_agent.core.prediction import ModelIdentity, Prediction
from edge_agent.core.verdict import DriftState, Verdict
from edge_agent.pipeline.conclude import conclude
from edge_agent.pipeline.line import Job, StreamLine
from edge_agent.uncertainty import uniform_of
from tests.an_agent import frame
from tests.calibrated_model import as_frame


class Judge:
    def update(self, observation) -> Verdict:
        return Verdict(0.0, None, DriftState.UNCALIBRATED)


def p_value_of(number: int) -> tuple[float, str]:
    calibration = {"a": CalibrationScores(np.array([5.0, 6.0]), np.array([0.5, 0.5]), 2)}  # the frame's distance, 0, is below both
    line = StreamLine("sem", Path(), NameRule("none"), NameRule("none"), None, None, Judge(), None, calibration)
    shown = as_frame(frame(number, (64, 64)))
    p = np.array([[[0.8, 0.1, 0.1]]], np.float32)
    answer = Prediction(p, np.ones((1, 1), np.float32), (1, 1), ("a", "b", "c"), ModelIdentity("m", "1", "0" * 64), 1, 0.0)
    admission = Admission(1, FileIdentity("sem", "a.tif", 1, 1), 0, 2, SettleOutcome.COMPLETE, "")
    concluded = conclude("agent", Job(admission, line, 0, frames=[shown], predictions=[answer]), 3)
    return concluded.frames[0].observation.score.p_value, shown.content_hash


def test_the_smoothing_is_the_frames_own():
    value, content_hash = p_value_of(1)
    assert value == pytest.approx((2 + uniform_of(content_hash)) / 3, abs=1e-6)
    assert p_value_of(1)[0] == value != p_value_of(2)[0]
