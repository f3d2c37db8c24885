"""Whether a stream still shows what the model was calibrated on: calibration, judge, episodes."""

from __future__ import annotations

from edge_agent.drift.calibration import SAMPLES_FOR_A_GUARANTEE, Calibration, LotCalibration, Signature, Spread, load_calibration
from edge_agent.drift.components import COMPONENTS, component_values
from edge_agent.drift.delays import Foreseen, as_if, foresee
from edge_agent.drift.fit import AlteredFrames, CalibrationFrame, fit_calibration
from edge_agent.drift.judge import SequentialJudge
from edge_agent.drift.strata import stratum_of
from edge_agent.drift.thresholds import DriftSettings, Limits

__all__ = [
    "COMPONENTS",
    "SAMPLES_FOR_A_GUARANTEE",
    "AlteredFrames",
    "Calibration",
    "CalibrationFrame",
    "DriftSettings",
    "Foreseen",
    "Limits",
    "LotCalibration",
    "SequentialJudge",
    "Signature",
    "Spread",
    "as_if",
    "component_values",
    "fit_calibration",
    "foresee",
    "load_calibration",
    "stratum_of",
]
