"""The plots of an evaluation, as they would be printed: one column wide, axes with units, readable without colour."""

from __future__ import annotations

from model_repo.figures.calibration import reliability_figure
from model_repo.figures.coverage import coverage_figure
from model_repo.figures.detection import entropy_figure, roc_figure
from model_repo.figures.kinds import confusion_figure
from model_repo.figures.learning import learning_figure
from model_repo.figures.local import local_map_figure
from model_repo.figures.risk import risk_figure
from model_repo.figures.style import save

__all__ = [
    "confusion_figure",
    "coverage_figure",
    "entropy_figure",
    "learning_figure",
    "local_map_figure",
    "reliability_figure",
    "risk_figure",
    "roc_figure",
    "save",
]
