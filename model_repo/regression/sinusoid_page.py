"""The page on the sinusoid."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from model_repo.regression.sinusoid import COSINES, FUNCTION_SEED, NOISE, POINTS, REGIONS

if TYPE_CHECKING:
    from collections.abc import Iterator


def lines(figures: dict[str, Any], folder: str) -> Iterator[str]:
    """Give the page on the sinusoid; `folder` is where the picture lies beside it."""
    fits = figures["fits"]
    seeds = sorted({fit["seed"] for fit in fits})
    yield "# The sinusoid of Bi et al.: how many inducing points"
    yield ""
    yield "Made by `model-repo regression sinusoid --out model_repo/reports/sinusoid` in"
    yield f"{figures['seconds']:.0f} s on {figures['machine']} (shared with other work)."
    yield ""
    yield "Bi et al. 2021, section 3.1, print a figure and no formula. Taken here is the toy of van Amersfoort et al. 2021"
    yield f"(arXiv:2102.11409), on whose method they build: {POINTS} points of a sum of {COSINES} random cosines (function seed"
    yield f"{FUNCTION_SEED}) with noise {NOISE}, in two clouds at -5 and +5. `network + GP`: a spectrally normalised residual network"
    yield "(bound 1) and a Matern 5/2 inducing-point GP, started by fuzzy c-means, trained jointly by the negative evidence lower bound for"
    yield f"{figures['steps']} steps. `GP alone`: the same GP on x itself."
    yield ""
    yield f"Means over {len(seeds)} seeds ({', '.join(map(str, seeds))}; data, start and order), with the smallest and largest. RMSE is"
    yield "against the noise-free function where the data are; NLL and calibration error are of 500 fresh points; the band is the predicted"
    yield f"standard deviation, where |x| is {', '.join(f'{low:g} to {high:g} ({name})' for name, (low, high) in REGIONS.items())}."
    yield ""
    yield "| origin | model | inducing points | RMSE | NLL | calibration error | band: data | gap | outside | s a fit |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for model, count in dict.fromkeys((fit["model"], fit["inducing"]) for fit in fits):
        chosen = [fit for fit in fits if (fit["model"], fit["inducing"]) == (model, count)]
        cells = [_range([fit[name] for fit in chosen]) for name in ("rmse", "nll", "calibration_error")]
        cells += [_range([fit["deviation"][name] for fit in chosen]) for name in REGIONS]
        yield f"| generated | {model} | {count} | {' | '.join(cells)} | {np.mean([fit['seconds'] for fit in chosen]):.0f} |"
    yield ""
    yield f"![Mean and band for each number of inducing points]({folder}/sinusoid.png)"
    yield ""
    yield "## Where this fails"
    yield ""
    yield from (f"- {sentence}" for sentence in failures(figures))


def failures(figures: dict[str, Any]) -> list[str]:
    """One sentence for what each figure shows to be wrong, and the limits that no figure shows."""
    fits = figures["fits"]
    sentences = []
    for model in dict.fromkeys(fit["model"] for fit in fits):
        counts = sorted({fit["inducing"] for fit in fits})
        rmse = [np.mean([fit["rmse"] for fit in fits if (fit["model"], fit["inducing"]) == (model, count)]) for count in counts]
        for (fewer, worse), (more, better) in pairwise(zip(counts, rmse, strict=True)):
            if better >= worse:
                sentences.append(f"{model}: {more} inducing points are no better than {fewer} (RMSE {better:.3f} against {worse:.3f}).")
        error = np.mean([fit["calibration_error"] for fit in fits if fit["model"] == model])
        if error > 0.1:
            narrowest = min(fit["deviation"]["data"] for fit in fits if fit["model"] == model)
            sentences.append(
                f"{model}: where the data are the band is too wide, at least {narrowest:.3f} where the noise is {NOISE} (calibration error "
                f"{error:.2f} on average): the variances fall slowly, and {figures['steps']} steps do not bring them home."
            )
        gap = [fit["deviation"]["gap"] / fit["deviation"]["data"] for fit in fits if fit["model"] == model]
        sentences.append(f"{model}: the band in the gap is {min(gap):.1f} to {max(gap):.1f} times as wide as at the data.")
    return [
        *sentences,
        "Away from the data the band knows only how large the function was near them, and the function leaves it in places.",
        "One dimension and a stationary function flatter a stationary kernel; the composition report is the harder test.",
        "Noise start, optimiser and number of steps were changed once after a first run's calibration error (about 0.4) had been seen.",
        "The function was chosen by us: Bi et al.'s own curve and band cannot be compared number by number.",
    ]


def _range(values: list[float]) -> str:
    return f"{np.mean(values):.3f} [{min(values):.3f}, {max(values):.3f}]"
