"""The plots show the numbers they are given, and the same file for the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

from model_repo import metrics
from model_repo.figures import (
    confusion_figure,
    coverage_figure,
    entropy_figure,
    learning_figure,
    local_map_figure,
    reliability_figure,
    risk_figure,
    roc_figure,
    save,
)
from model_repo.figures.style import COLUMN_IN, LINES

INFINITE = float("inf")


def texts(figure) -> str:
    figure.canvas.draw()
    found = [text.get_text() for axes in figure.axes for text in (*axes.texts, axes.title, axes.xaxis.label, axes.yaxis.label)]
    legends = [axes.get_legend() for axes in figure.axes if axes.get_legend()] + figure.legends
    return "\n".join([*found, *(text.get_text() for legend in legends for text in legend.get_texts())])


def law_curve(needed: metrics.Interval) -> metrics.LearningCurve:
    law, sizes, grid = metrics.PowerLaw(0.97, 1.5, 0.6), np.array([30.0, 75, 150, 300]), np.geomspace(30, 3000, 60)
    observed = tuple(metrics.Interval(float(v), float(v) - 0.01, float(v) + 0.02) for v in law.at(sizes))
    return metrics.LearningCurve(sizes, observed, law, grid, law.at(grid) - 0.01, law.at(grid) + 0.01, needed, 0.95)


def test_risk_is_drawn_in_per_cent_with_the_promise_at_the_threshold():
    risks = np.linspace(0, 0.2, 100)
    figure = risk_figure({"ensemble": risks, "softmax": 2 * risks}, metrics.Referral(0.4, 0.8, 0.01, 0.05, 0.9, 200))
    axes = figure.axes[0]
    np.testing.assert_allclose(axes.lines[0].get_xydata()[[0, -1]], [[20, 100 * risks[19]], [100, 20]])
    assert "threshold, risk ≤ 5 % (90 % sure)" in texts(figure)
    (bar,) = [container for container in axes.containers if container.get_label().startswith("threshold")]
    np.testing.assert_allclose(bar.lines[2][0].get_segments()[0], [[80, 1], [80, 5]])


def test_reliability_names_the_temperature_and_both_errors():
    bins = metrics.Reliability(np.array([0.5, 0.9]), np.array([0.4, 0.95]), np.array([0.25, 0.75]))
    figure = reliability_figure(bins, bins, metrics.Tempering(1.7, 0.5, 0.4, 0.1, 0.03))
    assert "as served, ECE 10.0 %" in texts(figure)
    assert "temperature 1.70, ECE 3.0 %" in texts(figure)
    np.testing.assert_allclose(figure.axes[0].lines[1].get_xydata(), [[50, 40], [90, 95]])
    assert len(reliability_figure(bins).axes[0].lines) == 2


def test_detection_draws_every_kind_but_the_normal_one_and_says_its_area():
    scores = {"known lots": np.arange(10.0), "filament": np.arange(10.0) + 0.5, "unrelated": np.full(5, 99.0)}
    said = texts(roc_figure(scores, normal="known lots", score="entropy"))
    assert "filament, AUC 0.550" in said
    assert "unrelated, AUC 1.000" in said
    assert "known lots, AUC" not in said
    assert "false alarms, % of known lots" in said


def test_entropies_share_one_axis_up_to_the_most_there_can_be():
    figure = entropy_figure({"known": np.array([0.1, 0.1, 0.2]), "unseen": np.array([2.0])}, 30)
    assert [axes.get_xlim()[1] for axes in figure.axes] == pytest.approx([np.log(30)] * 2)
    assert sum(bar.get_height() for bar in figure.axes[0].patches) == pytest.approx(100)
    assert "known (3)" in texts(figure)


def test_a_confusion_is_in_per_cent_of_the_true_kind():
    telling = metrics.Telling(("known", "unseen"), np.array([[3, 1], [0, 8]]), metrics.Interval(0.875, 0.8, 0.9), 6, 3)
    said = texts(confusion_figure({"one frame": telling, "one sample": telling})).split("\n")
    assert [text for text in said if text.isdigit()] == ["75", "25", "0", "100"] * 2
    assert "from one sample: 88 % [80, 90]" in said


@pytest.mark.parametrize(
    ("needed", "said"),
    [
        (metrics.Interval(2958.0, 662.0, INFINITE), "95 %: 3,000 samples a lot [660, ∞]"),
        (metrics.Interval(4.2e7, 1e6, INFINITE), "95 %: 4e+07 samples a lot [1e+06, ∞]"),
    ],
)
def test_a_learning_curve_says_what_the_wanted_accuracy_takes(needed, said):
    figure = learning_figure(law_curve(needed), law_curve(needed))
    assert said in texts(figure)
    assert figure.axes[0].get_xscale() == "log"


def test_a_missed_lot_is_drawn_open():
    lots = (metrics.LotCoverage(0, 9, 0.9, 0.02, False), metrics.LotCoverage(2, 1, 0.5, INFINITE, True))
    figure = coverage_figure(metrics.Coverage(0.9, 0.89, 0.01, lots, 1.25), ["a", "b", "c"])
    said = texts(figure)
    faces = [container.lines[0].get_markerfacecolor() for container in figure.axes[0].containers]
    assert faces == ["black", "white"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a (9)", "c (1)"]
    assert "pooled 89.0 ± 2.0 % (2 SE)" in said
    assert "sets hold 1.25 lots" in said


def test_a_local_map_lies_over_the_whole_frame_with_a_bar_of_its_length():
    figure = local_map_figure(np.zeros((200, 300), np.uint8), np.eye(2), full_scale=255, quantity="1/R, 1", pixel_size_m=1e-8)
    left, right = figure.axes[:2]
    assert right.images[1].get_extent() == [0, 300, 200, 0]
    start, end = left.lines[0].get_xdata()
    assert end - start == pytest.approx(500e-9 / 1e-8 if "500 nm" in texts(figure) else 0)


def test_a_saved_figure_is_one_column_wide_and_repeats(tmp_path):
    from PIL import Image

    for name in ("a", "b"):
        save(risk_figure({"one": np.linspace(0, 0.1, 50)}), tmp_path / "new" / f"{name}.png")
    assert (tmp_path / "new" / "a.png").read_bytes() == (tmp_path / "new" / "b.png").read_bytes()
    with Image.open(tmp_path / "new" / "a.png") as picture:
        assert picture.width == round(COLUMN_IN * 300)


def test_lines_are_told_apart_without_colour():
    dashes = [str(line["linestyle"]) for line in LINES if line["color"] != "#777777"]
    assert len(set(dashes)) == len(dashes)
