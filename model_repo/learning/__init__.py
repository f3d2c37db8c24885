"""The learning curve: how accuracy and confidence grow with the number of training samples, and what more samples would buy."""

from __future__ import annotations

from model_repo.learning.curve import Measured, learning_curve
from model_repo.learning.report import write_learning_report

__all__ = ["Measured", "learning_curve", "write_learning_report"]
