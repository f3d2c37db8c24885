"""The report's figures: delay against run length, one stream with all that is said of it, run length by split."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from matplotlib.ticker import NullFormatter

from edge_agent.core.verdict import DriftState, Phase
from model_repo.figures.style import BAND, column, line, printed
from tests.benchmarks.drift.gates import delays, quantile, run_length
from tests.benchmarks.drift.measure import Bench
from tests.benchmarks.drift.peers import SCORES
from tests.benchmarks.drift.run import CURVES, HABITS, NOMINAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from edge_agent.drift import Calibration
    from tests.benchmarks.drift.library import Library
    from tests.benchmarks.drift.run import Results
    from tests.benchmarks.drift.streams import Stream

KINDS_OF_PEERS = ("ADWIN", "Page-Hinkley", "KSWIN", "CUSUM", "EWMA")
MISSED = 3_000
"""Frames at which a median that is a miss is drawn."""
SHOWN_AFTER = 5
"""Samples shown after a change."""


@printed
def delay_figure(results: Results) -> Figure:
    """Median delay against realised run length, a panel a strength: ours, and of each peer its best variant on either score."""
    figure = column(5.0, columns=2)
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    for axes, change in zip(panels.flat, CURVES, strict=True):
        if change not in results.events[NOMINAL]:
            continue
        lengths = [run_length(results.calm[nominal]) for nominal in sorted(results.calm)]
        median = [quantile(delays(results.events[nominal][change]), 0.5) for nominal in sorted(results.calm)]
        _curve(axes, [min(length.value, length.frames) for length in lengths], median, label="this judge", marker="o", zorder=5, **line(0))
        for number, kind in enumerate(KINDS_OF_PEERS, 1):
            for score in SCORES:
                name = _best(results, kind, score, change)
                if name is None:
                    continue
                rows = [results.peers[nominal][name] for nominal in sorted(results.calm)]
                reached = [row for row in rows if row["reached"]]
                look = line(number if number < 3 else number + 1)
                look = {**look, "linewidth": 1.2 if score == SCORES[1] else 0.6}
                _curve(
                    axes,
                    [results.calm_frames / max(row["alarms"], 1) for row in reached],
                    [quantile([math.inf if delay is None else delay for delay in row["delays"][change]], 0.5) for row in reached],
                    label=f"{kind}, {score}", marker="." if score == SCORES[1] else "x", **look,
                )  # fmt: skip
        axes.set(xscale="log", yscale="log", title=change)
        axes.xaxis.set_minor_formatter(NullFormatter())
    for axes in panels[-1]:
        axes.set_xlabel("realised frames between false alarms")
    for axes in panels[:, 0]:
        axes.set_ylabel(f"median delay, frames\n({MISSED:,}: missed)")
    handles = {label: handle for axes in panels.flat for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
    return figure


@printed
def stream_figure(stream: Stream, calibration: Calibration, library: Library) -> Figure:
    """Entropy of every frame, and the judge's statistic with its threshold, onset and episodes; verticals are sample boundaries."""
    last = int(stream.samples[stream.change]) + SHOWN_AFTER
    judge = Bench(calibration, NOMINAL).fresh()
    statistic, threshold, bands, onset = [], math.nan, [], None
    for number, observation in enumerate(stream.observations(library)):
        if stream.samples[number] > last:
            break
        verdict = judge.update(observation)
        statistic.append(math.nan if verdict.statistic is None else verdict.statistic)
        threshold = threshold if verdict.threshold is None else verdict.threshold
        if verdict.state is DriftState.ALARM:
            bands.append(number)
        for change in verdict.changes:
            if change.phase is Phase.OPENED and onset is None and number >= stream.change:
                onset = change.onset.seq
    figure = column(3.4, columns=2)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2))
    frames = range(len(statistic))
    above.plot(frames, library.entropy[stream.rows[: len(statistic)]], color="0.35", linewidth=0.6)
    above.set_ylabel("entropy, nats")
    below.plot(frames, statistic, **line(0))
    below.axhline(threshold, label="threshold", **line(2))
    below.axvline(stream.change, label="true change", **line(1))
    if onset is not None:
        below.plot(
            [onset], [0], marker="^", markersize=7, linestyle="", color=line(4)["color"], label="onset told", clip_on=False, zorder=6
        )
    for axes in (above, below):
        for boundary in (k for k in frames if k and stream.samples[k] != stream.samples[k - 1]):
            axes.axvline(boundary - 0.5, color="0.85", linewidth=0.5, zorder=0)
        for start, end in _runs(bands):
            axes.axvspan(start, end, color=BAND, linewidth=0, zorder=-1, label="episode" if axes is below and start == bands[0] else None)
    below.set(xlabel="frame (verticals: sample boundaries)", ylabel="statistic", xlim=(0, len(statistic) - 1))
    below.set_ylim(0, 1.2 * below.get_ylim()[1])
    figure.legend(*below.get_legend_handles_labels(), loc="outside upper center", ncols=4)  # clear of the episodes' bands
    return figure


@printed
def run_length_figure(results: Results) -> Figure:
    """Realised run length with its 90 % interval: every split, all of them, the habits, declared lots."""
    rows = [(f"split {number}", run_length([run])) for number, run in enumerate(results.calm[NOMINAL])]
    rows += [("all splits", run_length(results.calm[NOMINAL]))]
    rows += [(f"samples of {habit}", run_length(results.habits[habit])) for habit in HABITS]
    rows += [("declared lots", run_length(results.declared))]
    figure = column(0.9 + 0.2 * len(rows))
    axes = figure.subplots()
    for place, (_, length) in enumerate(reversed(rows)):
        high = length.high if math.isfinite(length.high) else 20 * length.frames
        axes.plot([length.low, high], [place, place], color="0.4", linewidth=1.0)
        axes.plot([min(length.value, length.frames)], [place], marker="o" if length.alarms else ">", color="black", linestyle="")
    axes.axvline(NOMINAL, label="nominal", **line(1))
    axes.axvspan(0.8 * NOMINAL, 5 * NOMINAL, color=BAND, linewidth=0, zorder=-1)
    axes.set(xscale="log", xlabel="frames between false alarms\n(band: allowed; arrow: none seen)")
    axes.set_yticks(range(len(rows)), [name for name, _ in reversed(rows)])
    return figure


def _best(results: Results, kind: str, score: str, change: str) -> str | None:
    """The variant of a peer that is quickest at the strength shown and the usual run length."""
    found = [
        (quantile([math.inf if delay is None else delay for delay in row["delays"][change]], 0.5), name)
        for name, row in results.peers.get(NOMINAL, {}).items()
        if row["reached"] and name.startswith(f"{score} / {kind}")
    ]
    return min(found)[1] if found else None


def _curve(axes: Axes, lengths: list[float], medians: list[float], **look: object) -> None:
    pairs = sorted(zip(lengths, (min(median, MISSED) for median in medians), strict=True))
    axes.plot([length for length, _ in pairs], [median for _, median in pairs], **look)


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Stretches of consecutive numbers."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
