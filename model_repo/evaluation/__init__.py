"""A served model on frames it was not trained on: right answers, calibration, referral, and what it notices of shifts."""

from __future__ import annotations

from model_repo.evaluation.evaluate import Evaluation, evaluate
from model_repo.evaluation.pictures import draw_all
from model_repo.evaluation.report import failures, write_report

__all__ = ["Evaluation", "draw_all", "evaluate", "failures", "write_report"]
