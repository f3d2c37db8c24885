"""Where on a frame it is unlike the training set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import patheffects
from matplotlib.cm import ScalarMappable

from model_repo.figures.style import column, printed

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

LARGEST_SHOWN_PX = 600
SCALE_BARS_M = tuple(step * 10.0**power for power in range(-9, -2) for step in (1, 2, 5))


@printed
def local_map_figure(
    pixels: NDArray[Any], local_map: NDArray[Any], *, full_scale: float, quantity: str, pixel_size_m: float | None = None, title: str = ""
) -> Figure:
    """The frame, and beside it the frame again under its map.

    Args:
        pixels: shape (height, width).
        local_map: shape (rows, columns), laid over the whole frame, larger where stranger.
        full_scale: the pixel value that is white.
        quantity: what the map shows, with its unit, for the colour bar.
        pixel_size_m: adds a scale bar.
        title: of the frame.
    """
    height, width = pixels.shape
    figure = column(2 * 3.35 * 0.46 * min(height / width, 1.4) + 0.35, columns=2)
    left, right = figure.subplots(1, 2)
    step = max(1, max(pixels.shape) // LARGEST_SHOWN_PX)
    extent = (0, width, height, 0)
    for axes in (left, right):
        axes.imshow(pixels[::step, ::step], cmap="gray", vmin=0, vmax=full_scale, extent=extent)
        axes.set_axis_off()
    shown = right.imshow(np.asarray(local_map, np.float64), cmap="inferno", alpha=0.55, extent=extent, interpolation="nearest")
    left.set_title(title)
    figure.colorbar(ScalarMappable(shown.norm, shown.cmap), ax=right, label=quantity, shrink=0.9)
    if pixel_size_m is not None:
        _scale_bar(left, width, height, pixel_size_m)
    return figure


def _scale_bar(axes: Any, width: int, height: int, pixel_size_m: float) -> None:
    length = max((bar for bar in SCALE_BARS_M if bar <= 0.3 * width * pixel_size_m), default=SCALE_BARS_M[0])
    end = 0.06 * width + length / pixel_size_m
    outline = [patheffects.withStroke(linewidth=3, foreground="black")]
    axes.plot([0.06 * width, end], [0.94 * height] * 2, color="white", linewidth=2, path_effects=outline)
    unit, factor = next((u, f) for u, f in (("mm", 1e3), ("µm", 1e6), ("nm", 1e9)) if length * f >= 0.999)
    text = axes.text(0.06 * width, 0.92 * height, f"{length * factor:.0f} {unit}", color="white", fontsize=7, va="bottom")
    text.set_path_effects([patheffects.withStroke(linewidth=1.5, foreground="black")])
