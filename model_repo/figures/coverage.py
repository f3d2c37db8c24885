"""Conformal coverage, lot by lot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model_repo.figures.style import BAND, column, printed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from model_repo.metrics import Coverage


@printed
def coverage_figure(coverage: Coverage, lots: Sequence[str]) -> Figure:
    """Each lot's coverage with two standard errors over its samples, the pooled band and the nominal line; a missed lot is open.

    Args:
        coverage: as measured.
        lots: names by index.
    """
    figure = column(0.9 + 0.13 * len(coverage.lots))
    axes = figure.subplots()
    pooled, error = 100 * coverage.pooled, 100 * coverage.standard_error
    axes.axvspan(pooled - 2 * error, pooled + 2 * error, color=BAND, linewidth=0, label=f"pooled {pooled:.1f} ± {2 * error:.1f} % (2 SE)")
    axes.axvline(100 * coverage.nominal, color="black", linewidth=0.8, linestyle="--", label=f"nominal {100 * coverage.nominal:g} %")
    for place, lot in enumerate(coverage.lots):
        width = 200 * lot.standard_error if np.isfinite(lot.standard_error) else 0
        axes.errorbar(
            100 * lot.coverage, place, xerr=width, fmt="o", color="black", markerfacecolor="white" if lot.missed else "black", linewidth=0.7
        )
    axes.set_yticks(range(len(coverage.lots)), [f"{lots[lot.lot]} ({lot.samples})" for lot in coverage.lots], fontsize=6)
    axes.set_ylim(len(coverage.lots) - 0.4, -0.6)
    axes.set_xlim(min(axes.get_xlim()[0], 100 * coverage.nominal - 10), 100.5)
    axes.set_xlabel(f"true lot in the set, % (sets hold {coverage.set_size:.2f} lots)")
    figure.legend(loc="outside upper center", ncols=2)
    return figure
