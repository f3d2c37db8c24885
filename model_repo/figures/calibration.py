"""Reliability: confidence against accuracy, before and after a temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_repo.figures.style import column, diagonal, line, printed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from model_repo.metrics import Reliability, Tempering


@printed
def reliability_figure(before: Reliability, after: Reliability | None = None, tempering: Tempering | None = None) -> Figure:
    """Accuracy of each bin of confidence, and how many answers stand in it.

    Args:
        before: `metrics.reliability` of the model as it is served.
        after: the same after temperature scaling.
        tempering: names the temperature and the calibration errors in the legend.
    """
    figure = column(3.2)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    names = ["as served", "after temperature scaling"]
    if tempering is not None:
        names = [
            f"as served, ECE {100 * tempering.ece_before:.1f} %",
            f"temperature {tempering.temperature:.2f}, ECE {100 * tempering.ece_after:.1f} %",
        ]
    diagonal(upper)
    for number, (found, name, marker) in enumerate(zip((before, after), names, ("o", "s"), strict=True)):
        if found is None:
            continue
        upper.plot(100 * found.confidence, 100 * found.accuracy, marker=marker, label=name, **line(number))
        lower.plot(100 * found.confidence, 100 * found.share, marker=marker, **line(number))
    upper.set(ylabel="accuracy, %", ylim=(0, 100))
    upper.legend(loc="upper left")
    lower.set(xlabel="confidence, %", ylabel="answers, %", xlim=(0, 100), yscale="log")
    lower.yaxis.set_major_formatter("{x:g}")
    return figure
