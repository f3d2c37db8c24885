"""Which kind of shift was told for which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model_repo.figures.style import COLUMN_IN, column, printed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

    from model_repo.metrics import Telling

DARK = 55  # per cent of a row above which the number is white


@printed
def confusion_figure(tellings: Mapping[str, Telling]) -> Figure:
    """A confusion matrix for each of `tellings`, such as one frame and one sample, side by side; cells in per cent of the true kind."""
    figure = column(0.95 * COLUMN_IN, columns=len(tellings))
    every = np.atleast_1d(figure.subplots(1, len(tellings)))
    for axes, (unit, telling) in zip(every, tellings.items(), strict=True):
        percent = 100 * telling.confusion / np.maximum(telling.confusion.sum(axis=1, keepdims=True), 1)
        axes.imshow(percent, cmap="Greys", vmin=0, vmax=100)
        for (row, place), value in np.ndenumerate(percent):
            axes.text(place, row, f"{value:.0f}", ha="center", va="center", color="white" if value > DARK else "black")
        ticks = range(len(telling.kinds))
        axes.set_xticks(ticks, telling.kinds, rotation=35, ha="right", rotation_mode="anchor")
        axes.set_yticks(ticks, telling.kinds)
        axes.tick_params(length=0)
        told = telling.balanced_accuracy
        axes.set(
            xlabel="told, % of the true kind",
            ylabel="true kind",
            title=f"from {unit}: {100 * told.value:.0f} % [{100 * told.low:.0f}, {100 * told.high:.0f}]",
        )
    return figure
