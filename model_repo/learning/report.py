"""A learning curve as a page: what was measured, how it goes on, and what that rests on."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING

from model_repo import pages
from model_repo.figures import learning_figure, save

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from model_repo.learning.curve import Measured
    from model_repo.metrics import LearningCurve


def write_learning_report(measured: Measured, out: Path, command: str) -> Path:
    """Write `out`.md, `out`/learning-curve.png and `out`/learning-curve.json; return the page's path."""
    out.mkdir(parents=True, exist_ok=True)
    save(learning_figure(measured.accuracy, measured.confidence), out / "learning-curve.png")
    return pages.write(out, asdict(measured), _page(measured, out.name, command), name="learning-curve")


def _page(measured: Measured, folder: str, command: str) -> Iterator[str]:
    yield f"# {measured.name}: accuracy and confidence against training samples"
    yield ""
    yield f"Made by `{command}`. Frames are {measured.origin}."
    yield f"Every row is tested on the same {measured.fields} fields of {measured.test_samples} test samples."
    yield "Confidence is the mean of the networks' largest mean probability: it needs no labels (Zhang, Kailkhura & Han 2021, use 1)."
    yield ""
    yield "| origin | samples a lot | share | networks | steps | accuracy | confidence | one network | training, s |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for run, right, sure in zip(measured.runs, measured.accuracy.observed, measured.confidence.observed, strict=True):
        yield (
            f"| {measured.origin} | {run.samples} | {run.fraction:.0%} | {run.networks} | {run.steps} | {right} | "
            f"{sure} | {run.single_accuracy:.3f} / {run.single_confidence:.3f} | {run.seconds:.0f} |"
        )
    yield ""
    yield _goes_on("Accuracy", measured.accuracy)
    yield _goes_on("Confidence", measured.confidence)
    yield ""
    yield f"![Accuracy and confidence against training samples a lot]({folder}/learning-curve.png)"
    yield ""
    yield "## Where this fails"
    yield ""
    gaps = [sure.value - right.value for right, sure in zip(measured.accuracy.observed, measured.confidence.observed, strict=True)]
    worst = max(gaps, key=abs)
    side = "above" if worst > 0 else "below"
    yield f"- Confidence stood in for accuracy to within {abs(worst):.3f}; at its worst it was {side} accuracy."
    yield "- The intervals are over test samples; another draw of training samples, or other seeds, would move the points as well."
    yield "- Networks on few samples were trained over fewer steps, though not in proportion: the curve mixes data and length of training."
    yield "- Confidence needs no labels on the test side, but each network's best step was chosen on the labelled calibration side."
    yield f"- A power law through {len(measured.runs)} points is an extrapolation: beyond twice the largest set it is a guess with a band."


def _goes_on(name: str, curve: LearningCurve) -> str:
    law = curve.law
    needed = curve.needed
    if math.isinf(needed.value):
        reach = f"the fitted law never reaches {curve.wanted:.0%}"
    else:
        most = "no end" if math.isinf(needed.high) else f"{needed.high:.0f}"
        reach = f"{curve.wanted:.0%} would take about {needed.value:.0f} samples a lot (95 %: {needed.low:.0f} to {most})"
    return f"{name} is fitted by {law.asymptote:.3f} - {law.amplitude:.3f} n^-{law.exponent:.2f}; {reach}."
