"""One look for all plots: a journal's column, small type, lines told apart by dash as well as by colour."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ParamSpec

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

P = ParamSpec("P")

COLUMN_IN = 3.35
"""A journal's column, 85 mm."""
DOTS_PER_INCH = 300
BAND = "0.85"
"""Grey of an interval behind a line."""
LINES: tuple[dict[str, Any], ...] = (
    {"color": "#000000", "linestyle": "-"},
    {"color": "#0072b2", "linestyle": (0, (5, 2))},
    {"color": "#d55e00", "linestyle": (0, (1, 1.2))},
    {"color": "#777777", "linestyle": "-"},
    {"color": "#009e73", "linestyle": (0, (6, 2, 1, 2))},
    {"color": "#cc79a7", "linestyle": (0, (3, 1, 1, 1, 1, 1))},
    {"color": "#56b4e9", "linestyle": (0, (8, 3))},
    {"color": "#b8860b", "linestyle": (0, (1, 3))},
)
"""Okabe & Ito's colours, which the colour-blind tell apart, each with its own dash."""
LOOK: dict[Any, Any] = {
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "legend.fontsize": 6.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
}


def printed(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw in the printed look, whatever the process set before."""

    @functools.wraps(draw)
    def inner(*arguments: P.args, **named: P.kwargs) -> Figure:
        with mpl.rc_context(LOOK):
            return draw(*arguments, **named)

    return inner


def column(height_in: float = 2.6, *, columns: int = 1) -> Figure:
    """An empty figure, `columns` journal columns wide."""
    return Figure(figsize=(COLUMN_IN * columns, height_in), layout="constrained")


def line(number: int) -> dict[str, Any]:
    """How the line of this number is drawn."""
    return LINES[number % len(LINES)]


def diagonal(axes: Axes, ends: Sequence[float] = (0, 100)) -> None:
    """The line of no gain."""
    axes.plot(ends, ends, color="0.6", linewidth=0.6, zorder=0)


def save(figure: Figure, path: Path) -> None:
    """Write a PNG that is the same bytes for the same figure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})
