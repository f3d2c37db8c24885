"""Whether a stream still shows what the model was calibrated on: calibration, judge, episodes."""

from __future__ import annotations

from edge_agent.drift.calibration import SAMPLES_FOR_A_GUARANTEE, Calibration, LotCalibration, Signature, Spread, load_calibration
from edge_agent.drift.components import COMPONENTS, component_values
from edge_agent.drift.fit import AlteredFrames, CalibrationFrame, fit_calibration
from edge_agent.drift.judge import SequentialJudge
from edge_agent.drift.thresholds import DriftSettings

__all__ = [
    "COMPONENTS",
    "SAMPLES_FOR_A_GUARANTEE",
    "AlteredFrames",
    "Calibration",
    "CalibrationFrame",
    "DriftSettings",
    "LotCalibration",
    "SequentialJudge",
    "Signature",
    "Spread",
    "component_values",
    "fit_calibration",
    "load_calibration",
]
