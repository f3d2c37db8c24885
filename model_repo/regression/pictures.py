"""The regressions' pictures: parity, calibration, error against predicted uncertainty, and the sinusoid with its band."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from model_repo.regression.scores import LEVELS
from model_repo.regression.sinusoid import FUNCTION_SEED, POINTS, draw, sinusoid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from model_repo.regression.methods import Answered
    from model_repo.regression.scores import Scores
    from model_repo.regression.sinusoid import Fit

DPI = 110
COLOURS = (
    "#888888",
    "#c9a227",
    "#8a6d1d",
    "#86bbd8",
    "#33658a",
    "#1b3a57",
    "#c1292e",
    "#f26419",
    "#a7c957",
    "#6a994e",
    "#1e4620",
    "#7b2cbf",
)


def draw_composition(truth: NDArray[Any], answers: Sequence[Answered], scored: Sequence[Scores], best: int, out: Path) -> None:
    """Write parity.png, calibration.png and error.png into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    names = [answer.name for answer in answers]
    _save(_parity(truth, answers[best]), out / "parity.png")
    _save(_calibration(names, scored), out / "calibration.png")
    _save(_error(names, scored), out / "error.png")


def draw_sinusoid(fits: Sequence[Fit], out: Path) -> None:
    """Write sinusoid.png into `out`: a row for each model, a column for each number of inducing points, the first seed."""
    out.mkdir(parents=True, exist_ok=True)
    models = list(dict.fromkeys(fit.model for fit in fits))
    counts = sorted({fit.inducing for fit in fits})
    figure = Figure(figsize=(4.2 * len(counts), 3.1 * len(models)), layout="constrained")
    axes = figure.subplots(len(models), len(counts), sharex=True, sharey=True, squeeze=False)
    seed = fits[0].seed
    x, y = draw(POINTS, np.random.default_rng(seed))
    for row, model in zip(axes, models, strict=True):
        for place, count in zip(row, counts, strict=True):
            fit = next(f for f in fits if (f.model, f.inducing, f.seed) == (model, count, seed))
            place.fill_between(
                fit.grid, fit.mean - 2 * fit.band, fit.mean + 2 * fit.band, color="#86bbd8", alpha=0.5, label="mean ± 2 standard deviations"
            )
            place.plot(fit.grid, sinusoid(fit.grid), color="0.3", linewidth=0.8, linestyle="--", label="noise-free function")
            place.plot(fit.grid, fit.mean, color="#33658a", linewidth=1.3, label="mean")
            place.plot(x, y, ".", color="#c1292e", markersize=2, label=f"{POINTS} data")
            place.set_title(f"{model}, {count} inducing points", fontsize=9)
            place.set_ylim(-12, 12)
    for place in axes[-1]:
        place.set_xlabel("x")
    for row in axes:
        row[0].set_ylabel("y")
    axes[0, 0].legend(fontsize=7, loc="lower left")
    figure.suptitle(f"Sum of 30 cosines (function seed {FUNCTION_SEED}), data and training seed {seed}", fontsize=9)
    _save(figure, out / "sinusoid.png")


def _parity(truth: NDArray[Any], answer: Answered) -> Figure:
    figure = Figure(figsize=(5.8, 5), layout="constrained")
    axes = figure.subplots()
    deviation = np.sqrt(answer.test.variance)
    order = np.argsort(deviation)  # the uncertain ones on top
    shown = axes.scatter(truth[order], answer.test.mean[order], c=deviation[order], s=4, cmap="viridis", vmax=np.percentile(deviation, 99))
    ends = [min(truth.min(), answer.test.mean.min()), max(truth.max(), answer.test.mean.max())]
    axes.plot(ends, ends, color="0.4", linewidth=0.8)
    axes.set(xlabel="DFT formation enthalpy, eV/atom", ylabel="predicted formation enthalpy, eV/atom", aspect="equal")
    axes.set_title(f"{answer.name}: {len(truth)} test compounds", fontsize=9)
    figure.colorbar(shown, ax=axes, label="predicted standard deviation, eV/atom", extend="max")
    return figure


def _calibration(names: Sequence[str], scored: Sequence[Scores]) -> Figure:
    figure = Figure(figsize=(6.4, 7.6), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.4", linewidth=0.8)
    for name, found, colour in zip(names, scored, COLOURS, strict=False):
        area = found.figures["miscalibration_area"].value
        axes.plot(LEVELS, found.observed, color=colour, linewidth=1.3, label=f"{name} ({area:.3f})")
    axes.set(xlabel="level of the central interval", ylabel="share of test compounds in it", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    figure.legend(loc="outside lower center", ncols=2, fontsize=7, title="miscalibration area in brackets", title_fontsize=7)
    axes.text(0.97, 0.03, "below the line: too sure", ha="right", fontsize=8, color="0.4")
    return figure


def _error(names: Sequence[str], scored: Sequence[Scores]) -> Figure:
    figure = Figure(figsize=(6.8, 6), layout="constrained")
    axes = figure.subplots()
    for name, found, colour in zip(names, scored, COLOURS, strict=False):
        axes.plot(found.bins[:, 0], found.bins[:, 1], "o-", color=colour, markersize=4, linewidth=1, label=name)
    low, high = axes.get_xlim()[0], max(axes.get_xlim()[1], axes.get_ylim()[1])
    axes.plot([low, high], [low, high], color="0.4", linewidth=0.8)
    axes.set(xlabel="predicted: root of the mean variance, eV/atom", ylabel="found: root-mean-square error, eV/atom")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_title("Each point: a tenth of the test compounds, by predicted uncertainty. Above the line: too sure", fontsize=8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:.2f}")
        axis.set_minor_locator(LogLocator(subs=(2, 3, 5)))
        axis.set_minor_formatter("{x:.2f}")
    axes.tick_params(which="both", labelsize=7)
    axes.legend(fontsize=7)
    return figure


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
