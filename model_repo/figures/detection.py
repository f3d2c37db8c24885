"""Shifts noticed: ROC by kind, and entropy by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from model_repo.figures.style import column, diagonal, line, printed
from model_repo.metrics import auc, roc_curve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

BINS = 40
BACKGROUND = {"color": "white", "alpha": 0.85, "linewidth": 0, "boxstyle": "square,pad=0.15"}


@printed
def roc_figure(scores: Mapping[str, NDArray[Any]], *, normal: str, score: str) -> Figure:
    """Share found against share of false alarms of one score, for each kind of shift.

    Args:
        scores: by kind, shape (n,) each, larger when stranger.
        normal: the kind that the others are told from.
        score: the score's name, for the title.
    """
    figure = column(3.2)
    axes = figure.subplots()
    diagonal(axes)
    for number, (kind, found) in enumerate((kind, found) for kind, found in scores.items() if kind != normal):
        false_alarms, hits = roc_curve(scores[normal], found)
        axes.plot(100 * false_alarms, 100 * hits, label=f"{kind}, AUC {auc(scores[normal], found):.3f}", clip_on=False, **line(number))
    axes.set(xlabel=f"false alarms, % of {normal}", ylabel="found, %", xlim=(0, 100), ylim=(0, 100), title=score, aspect="equal")
    axes.legend(loc="lower right")
    return figure


@printed
def entropy_figure(entropies: Mapping[str, NDArray[Any]], lots: int) -> Figure:
    """Histogram of the entropy for each kind, one under the other on one axis up to ln(lots).

    Args:
        entropies: by kind, shape (n,) each, nats.
        lots: how many the model answers.
    """
    figure = column(0.5 + 0.55 * len(entropies))
    rows = np.atleast_1d(figure.subplots(len(entropies), 1, sharex=True))
    for axes, (kind, found) in zip(rows, entropies.items(), strict=True):
        shares = np.full(len(found), 100 / len(found))
        axes.hist(found, bins=np.linspace(0, np.log(lots), BINS + 1), weights=shares, color="0.6", edgecolor="0.25", linewidth=0.3)
        axes.axvline(np.median(found), color="black", linewidth=0.8, linestyle="--")
        axes.text(0.985, 0.9, f"{kind} ({len(found)})", transform=axes.transAxes, ha="right", va="top", fontsize=6.5, bbox=BACKGROUND)
        axes.set_ylim(0, 1.5 * axes.get_ylim()[1])
    rows[-1].set(xlabel=f"entropy, nats (at most ln {lots}; dashed: median)", xlim=(0, np.log(lots)))
    figure.supylabel("frames, %", fontsize=8)
    return figure
