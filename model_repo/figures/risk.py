"""Risk against coverage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from model_repo.figures.style import column, line, printed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from model_repo.metrics import Referral

SMALLEST_COVERAGE = 0.2  # below it the curve rests on too few frames to be looked at


@printed
def risk_figure(curves: Mapping[str, NDArray[Any]], referral: Referral | None = None) -> Figure:
    """Risk of every method against coverage; with `referral`, where the agent would stand and what is promised there.

    Args:
        curves: `metrics.risk_curve` by method, each of shape (n,).
        referral: a threshold with a bound on its risk, on the first method's uncertainty.
    """
    figure = column()
    axes = figure.subplots()
    for number, (name, risks) in enumerate(curves.items()):
        share = np.arange(1, len(risks) + 1) / len(risks)
        shown = share >= SMALLEST_COVERAGE
        axes.plot(100 * share[shown], 100 * np.asarray(risks)[shown], label=name, **line(number))
    if referral is not None and referral.risk_bound is not None and referral.confidence is not None:
        axes.errorbar(
            100 * referral.coverage,
            100 * referral.risk,
            np.array([[0.0], [100 * (referral.risk_bound - referral.risk)]]),
            fmt="o",
            color="black",
            capsize=3,
            linewidth=0.8,
            label=f"threshold, risk ≤ {100 * referral.risk_bound:g} % ({100 * referral.confidence:g} % sure)",
        )
    axes.axvline(90, color="0.6", linewidth=0.6, zorder=0)
    axes.set(xlabel="coverage, % of frames accepted", ylabel="risk, % of accepted wrong", xlim=(100 * SMALLEST_COVERAGE, 100))
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left")
    return figure
