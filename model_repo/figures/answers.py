"""The evaluation's pictures: ROC, entropy by kind, risk against coverage, and one frame's entropy map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from edge_agent.uncertainty import entropy
from model_repo import metrics
from model_repo.evaluate import labels_of, member_probabilities, scores_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from model_repo.evaluate import Answer

NORMAL = "known lots"
DPI = 80


def draw_all(answers: Mapping[str, Sequence[Answer]], lots: Sequence[str], out: Path) -> None:
    """Write roc.png, entropy.png, risk.png and map.png into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    mpl.rcParams["svg.hashsalt"] = "edge-agent"
    for name, figure in (
        ("roc", _roc(answers)),
        ("entropy", _entropy_by_kind(answers)),
        ("risk", _risk(answers[NORMAL], lots)),
        ("map", _entropy_map(answers[NORMAL])),
    ):
        figure.savefig(out / f"{name}.png", dpi=DPI, metadata={"Software": None})


def _roc(answers: Mapping[str, Sequence[Answer]]) -> Figure:
    figure = Figure(figsize=(13, 4.4), layout="constrained")
    normal = scores_of(answers[NORMAL], "field")
    for axes, name in zip(figure.subplots(1, 3), normal, strict=True):
        for kind, found in answers.items():
            if kind != NORMAL:
                false_rate, true_rate = metrics.roc_curve(normal[name], scores_of(found, "field")[name])
                axes.plot(false_rate, true_rate, label=kind, linewidth=1)
        axes.set(title=name, xlabel="false alarms", ylabel="found", xlim=(0, 1), ylim=(0, 1))
        axes.plot([0, 1], [0, 1], color="0.7", linestyle=":")
    axes.legend(fontsize=7, loc="lower right")
    return figure


def _entropy_by_kind(answers: Mapping[str, Sequence[Answer]]) -> Figure:
    figure = Figure(figsize=(9, 0.9 * len(answers)), layout="constrained")
    rows = figure.subplots(len(answers), 1, sharex=True)
    for axes, (kind, found) in zip(rows, answers.items(), strict=True):
        axes.hist(scores_of(found, "field")["entropy"], bins=np.linspace(0, np.log(3), 40), density=True, color="#33658a")
        axes.set_yticks([])
        axes.set_ylabel(kind.replace(" (", "\n("), rotation=0, ha="right", va="center", fontsize=7)
    rows[-1].set_xlabel("entropy of a field, nats")
    return figure


def _risk(answers: Sequence[Answer], lots: Sequence[str]) -> Figure:
    figure = Figure(figsize=(5.5, 4), layout="constrained")
    axes = figure.subplots()
    p, labels = member_probabilities(answers, "field"), labels_of(answers, "field", lots)
    coverage = np.arange(1, len(labels) + 1) / len(labels)
    single = [metrics.risk_curve(p[:, k], labels, entropy(p[:, k])) for k in range(p.shape[1])]
    axes.plot(coverage, np.mean(single, axis=0), label="single network")
    axes.plot(coverage, metrics.risk_curve(p.mean(axis=1), labels, entropy(p.mean(axis=1))), label="ensemble")
    axes.set(xlabel="coverage", ylabel="risk (share wrong)", title=f"{len(labels)} test fields of {len(answers)} images")
    axes.legend()
    return figure


def _entropy_map(answers: Sequence[Answer]) -> Figure:
    chosen = max(answers, key=lambda answer: answer.score.entropy)
    figure = Figure(figsize=(8, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    step = max(1, max(chosen.probe.pixels.shape) // 384)
    left.imshow(chosen.probe.pixels[::step, ::step], cmap="gray", vmin=0, vmax=255)
    left.set_title(chosen.probe.name, fontsize=8)
    shown = right.imshow(np.array(chosen.score.field_entropy), cmap="magma", vmin=0, vmax=float(np.log(3)))
    right.set_title(f"entropy of each field; frame {chosen.score.entropy:.2f} nats", fontsize=8)
    for axes in (left, right):
        axes.set_axis_off()
    figure.colorbar(shown, ax=right, shrink=0.8, label="nats")
    return figure
