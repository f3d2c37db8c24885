"""Learning curve: accuracy and confidence against training samples, and where it leads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import LogLocator, NullLocator

from model_repo.figures.style import BAND, column, line, printed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from model_repo.metrics import LearningCurve

LONGEST = 1e6  # written out below this, as a power of ten above


@printed
def learning_figure(accuracy: LearningCurve, confidence: LearningCurve | None = None) -> Figure:
    """Measured points with their intervals, the power law through them with its band, and the samples for the wanted accuracy."""
    figure = column()
    axes = figure.subplots()
    for number, (name, marker, curve) in enumerate((("accuracy", "o", accuracy), ("mean confidence", "s", confidence))):
        if curve is None:
            continue
        if number == 0:
            axes.fill_between(curve.grid, 100 * curve.low, 100 * curve.high, color=BAND, linewidth=0, zorder=0)
        value, low, high = 100 * np.array([(one.value, one.low, one.high) for one in curve.observed]).T
        axes.errorbar(
            curve.samples, value, [value - low, high - value], fmt=marker, color=line(number)["color"], capsize=2, linewidth=0.8, label=name
        )
        within = curve.grid <= curve.samples.max()
        axes.plot(curve.grid[within], 100 * curve.law.at(curve.grid[within]), color=line(number)["color"])
        axes.plot(curve.grid[~within], 100 * curve.law.at(curve.grid[~within]), color=line(number)["color"], linestyle=(0, (3, 2)))
    axes.axhline(100 * accuracy.wanted, color="0.5", linewidth=0.6, linestyle=":")
    needed = accuracy.needed
    reach = f"{_count(needed.value)} samples a lot [{_count(needed.low)}, {_count(needed.high)}]"
    axes.text(accuracy.grid[0], 100 * accuracy.wanted, f"{100 * accuracy.wanted:g} %: {reach}", fontsize=6.5, va="bottom")
    axes.set(xscale="log", xlabel="training samples a lot", ylabel="accuracy, confidence, %")
    axes.set_xlim(0.85 * accuracy.grid[0], accuracy.grid[-1])
    axes.set_ylim(top=101)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.legend(loc="lower right")
    return figure


def _count(samples: float) -> str:
    """To two digits, for more of them would not be believed."""
    return "∞" if np.isinf(samples) else f"{float(f'{samples:.2g}'):,.0f}" if samples < LONGEST else f"{samples:.0e}"
