"""A single network's softmax: what most labs use, and what the other methods are measured against."""

from __future__ import annotations

from typing import ClassVar

from model_repo.uncertainty.deep_ensemble import DeepEnsemble


class Softmax(DeepEnsemble):
    """An ensemble of one: its entropy is the softmax's, its mutual information is zero."""

    kind: ClassVar[str] = "softmax"
