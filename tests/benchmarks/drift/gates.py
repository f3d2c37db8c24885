"""Every gate of the method's design and of its issue, held against what was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.drift.ageing import samples_until
from tests.benchmarks.drift.peers import SCORES
from tests.benchmarks.drift.run import HABITS, NOMINAL
from tests.benchmarks.drift.streams import LOSS_A_SAMPLE
from tests.benchmarks.drift.tuning import RunLength

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.benchmarks.drift.run import Results

MILD, MODERATE, STRONG = "filament 0.25", "filament 0.5", "filament 1"
"""The study's three sizes of a filament change; the strong one is the paper's."""
TRUE_KIND = {
    **dict.fromkeys((MILD, MODERATE, STRONG, "filament 2", "filament 1 within a sample", "ageing"), "acquisition_change"),
    "unseen lot": "unseen_lot",
    "unrelated": "unrelated",
}
ENOUGH_FRAMES = 250_000
ENOUGH_SPLITS = 6


@dataclass(frozen=True)
class Gate:
    """One promise.

    Attributes:
        name: what it is about.
        wanted, found: in words and figures.
        passed: None where it could not be measured.
    """

    name: str
    wanted: str
    found: str
    passed: bool | None


def gates(results: Results) -> list[Gate]:
    """All of them, in the order of the design."""
    return [
        *_run_length(results),
        *(_delays(results) if results.peers else ()),
        *_strange_samples(results),
        *_words(results),
        _ageing(results),
        *_machine(results),
    ]


def run_length(runs: Iterable[dict[str, Any]]) -> RunLength:
    """Frames at risk between false alarms, pooled."""
    held = list(runs)
    return RunLength(sum(run["at_risk"] for run in held), sum(len(run["opened"]) for run in held))


def delays(events: Sequence[dict[str, Any]]) -> list[float]:
    """Frames to the alarm, infinite for a miss, without the events that a false alarm's episode hid."""
    return [math.inf if event["delay"] is None else float(event["delay"]) for event in events if not event["masked"]]


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of them do not exceed; misses count as infinite."""
    return float(np.quantile(values, share, method="inverted_cdf")) if len(values) else math.nan


def events_of(results: Results, change: str) -> list[dict[str, Any]]:
    """The events at NOMINAL in which the change was not hidden by a false alarm's episode; none where it was not measured."""
    return [event for event in results.events[NOMINAL].get(change, ()) if not event["masked"]]


def peer_median(results: Results, change: str, score: str, families: str = "") -> tuple[float, str]:
    """The smallest median delay of the peers on this score that reach our run length, and whose it is."""
    best, name = math.inf, ""
    for peer, row in results.peers[NOMINAL].items():
        on, family = peer.split(" / ")
        if on == score and family.startswith(families) and row["reached"] and change in row["delays"]:
            median = quantile([math.inf if delay is None else delay for delay in row["delays"][change]], 0.5)
            if median < best or not name:
                best, name = median, family
    return best, name


def _run_length(results: Results) -> list[Gate]:
    pooled = run_length(results.calm[NOMINAL])
    shown = sum(run["frames"] for run in results.calm[NOMINAL])
    worst = min((run_length([run]) for run in results.calm[NOMINAL]), key=lambda split: split.value)
    found = [
        Gate("in-control frames", f">= {ENOUGH_FRAMES:,} over >= {ENOUGH_SPLITS} splits", f"{shown:,} over {results.splits}",
             shown >= ENOUGH_FRAMES and results.splits >= ENOUGH_SPLITS),
        Gate("run length, pooled", f">= {NOMINAL:,}", _said(pooled), pooled.value >= NOMINAL),
        Gate("run length, lower 90 % bound", f">= {0.8 * NOMINAL:,.0f}", f"{pooled.lower_90:,.0f}", pooled.lower_90 >= 0.8 * NOMINAL),
        Gate("run length, not too careful", f"<= {5 * NOMINAL:,}", _said(pooled), min(pooled.value, pooled.frames) <= 5 * NOMINAL),
        Gate("run length, worst split", f">= {0.6 * NOMINAL:,.0f}", _said(worst), worst.value >= 0.6 * NOMINAL),
    ]  # fmt: skip
    for habit in HABITS:
        there = run_length(results.habits[habit])
        found.append(Gate(f"run length, samples of {habit}", f">= {0.8 * NOMINAL:,.0f}", _said(there), there.value >= 0.8 * NOMINAL))
    long = results.habits["300"]
    alarms, samples = sum(len(run["opened"]) for run in long), sum(run["samples"] for run in long)
    found.append(
        Gate(
            "false alarms per 100 samples of 300", "<= 1", f"{100 * alarms / samples:.2f} ({alarms} in {samples})", alarms <= samples / 100
        )
    )
    return found


def _delays(results: Results) -> list[Gate]:
    raw, ours_score = SCORES
    found = []
    for name, change, score, families, share in (
        ("ADWIN on raw H", STRONG, raw, "ADWIN", 0.1),
        ("ADWIN on our D", MILD, ours_score, "ADWIN", 1.0),
        ("ADWIN on our D", MODERATE, ours_score, "ADWIN", 0.5),
        ("ADWIN on our D", STRONG, ours_score, "ADWIN", 0.1),
        ("CUSUM on our D", MILD, ours_score, "CUSUM", 1.15),
        ("CUSUM on our D", MODERATE, ours_score, "CUSUM", 1.0),
        ("the best peer on raw H", STRONG, raw, "", 0.5),
        ("the best peer on our D (no gate: amendment 10)", STRONG, ours_score, "", 0.5),
    ):
        ours = quantile(delays(events_of(results, change)), 0.5)
        theirs, who = peer_median(results, change, score, families)
        told = f"{_frames(ours)} / {_frames(theirs)} ({who})" if who else f"{_frames(ours)}; no such peer reaches our run length"
        told = told if change in results.events[NOMINAL] else "not measured"
        passed = None if not who or math.isnan(ours) else ours < math.inf and (theirs == math.inf or ours <= share * theirs)
        found.append(Gate(f"median delay, {change}, over {name}", f"<= {share:g} x", told, passed))
    return found


def _strange_samples(results: Results) -> list[Gate]:
    events = events_of(results, "unseen lot")
    inside = [event["samples"] == 0 for event in events]
    median = quantile(delays(events), 0.5)
    return [
        Gate("unseen lot, inside its first sample", ">= 95 %", share_said(inside), mostly(inside, 0.95)),
        Gate("unseen lot, median delay", "<= 6 frames", _frames(median), median <= 6 if events else None),
    ]


def _words(results: Results) -> list[Gate]:
    found = []
    for change, wanted in ((STRONG, 0.9), ("unseen lot", 0.85), ("unrelated", 0.95)):
        told = [event["kind"] == TRUE_KIND[change] for event in events_of(results, change) if event["kind"]]
        settled = [event["settled"] == TRUE_KIND[change] for event in events_of(results, change) if event["kind"]]
        found.append(
            Gate(f"kind told at the alarm, {change}", f">= {100 * wanted:.0f} %", f"{share_said(told)}; settled {share_said(settled)}",
                 mostly(told, wanted))
        )  # fmt: skip
    onsets = [
        abs(event["settled_onset"]) <= 1
        for change in (MILD, MODERATE, STRONG, "unseen lot")
        for event in events_of(results, change)
        if event["settled_onset"] is not None
    ]
    found.append(Gate("onset within one sample", ">= 90 %", share_said(onsets), mostly(onsets, 0.9)))
    return found


def _ageing(results: Results) -> Gate:
    name, wanted = "slow ageing told before the network loses 2 points", "half of the streams or more"
    at = [math.inf if event["samples"] is None else event["samples"] + 1.0 for event in events_of(results, "ageing")]
    if not at:
        return Gate(name, wanted, "not measured", None)
    critical = results.accuracy["critical"]
    before = math.inf if critical is None else samples_until(critical, LOSS_A_SAMPLE)
    in_time = [samples < math.inf and samples <= before for samples in at]
    lost = "at no current imaged" if critical is None else f"at {critical:.3f} of the current, after {before:.1f} samples"
    found = f"{share_said(in_time)}; median alarm in sample {_frames(quantile(at, 0.5))}; 2 points are lost {lost}"
    return Gate(name, wanted, found, mostly(in_time, 0.5))


def _machine(results: Results) -> list[Gate]:
    frames, different, largest = (
        sum(row[0] for row in results.restart),
        sum(row[1] for row in results.restart),
        max(row[2] for row in results.restart),
    )
    cost = float(np.median(results.microseconds))
    return [
        Gate("a restart between any two frames", "changes nothing", f"{different} of {frames:,} verdicts differ", different == 0),
        Gate("cost a frame", "<= 50 us", f"{cost:.0f} us of processor time", cost <= 50),
        Gate("state", "<= 4096 bytes", f"{largest} bytes at most", largest <= 4096),
    ]


def mostly(said: Sequence[bool], share: float) -> bool | None:
    """Whether so many of them are true; None of none."""
    return sum(said) >= share * len(said) if said else None


def share_said(said: Sequence[bool]) -> str:
    """A share in words."""
    return f"{100 * sum(said) / len(said):.1f} % of {len(said)}" if said else "none"


def _said(length: RunLength) -> str:
    value = f"{length.value:,.0f}" if length.alarms else "no alarm"
    high = f"{length.high:,.0f}" if length.alarms else "inf"
    return f"{value} [{length.low:,.0f}, {high}] ({length.alarms} in {length.frames:,})"


def _frames(value: float) -> str:
    return "not measured" if math.isnan(value) else "missed" if math.isinf(value) else f"{value:.0f}"
