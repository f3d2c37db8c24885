"""The study's page: gates, tables, figures, and where it fails."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from model_repo.figures import save
from tests.benchmarks.drift.gates import TRUE_KIND, delays, events_of, gates, quantile, run_length, share_said
from tests.benchmarks.drift.measure import FOLLOWED_SAMPLES
from tests.benchmarks.drift.peers import FAMILIES, SCORES
from tests.benchmarks.drift.pictures import delay_figure, run_length_figure, stream_figure
from tests.benchmarks.drift.run import HABITS, NOMINAL
from tests.benchmarks.drift.splits import ALTERED_SAMPLES, CALIBRATION_SAMPLES
from tests.benchmarks.drift.streams import AFTER_SAMPLES, LEAD_SAMPLES, LOSS_A_SAMPLE, USUAL
from tests.benchmarks.drift.study import CALM_SAMPLES, CHANGED_SAMPLES, FRAMES
from tests.benchmarks.drift.tables import delay_said, length_said, table

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.drift.real_report import Told
    from tests.benchmarks.drift.real_run import RealStudy
    from tests.benchmarks.drift.run import Results, Study

KINDS = ("acquisition_change", "unseen_lot", "unrelated", "detector_fault", "undetermined", "missed")


def write(folder: Path, text: str, study: Study, results: Results, real: RealStudy | None) -> None:
    """Write drift.md and its figures."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "drift.md").write_text(text, encoding="utf-8")
    save(delay_figure(results), folder / "drift-delay.png")
    save(run_length_figure(results), folder / "drift-run-length.png")
    for change in ("filament 0.25", "filament 1"):
        if change not in results.events[NOMINAL]:
            continue
        stream, split, library = study.example(change)
        save(stream_figure(stream, split.calibration, library), folder / f"drift-stream-{change.split()[-1]}.png")
    if real is not None:
        stream, fold, library = real.example()
        save(stream_figure(stream, fold.calibration, library), folder / "drift-stream-real.png")


def table_of_gates(results: Results) -> str:
    """Every gate with what was found."""
    words = {True: "pass", False: "**FAIL**", None: "not measured"}
    return table(("gate", "wanted", "found", ""), [(gate.name, gate.wanted, gate.found, words[gate.passed]) for gate in gates(results)])


def page(results: Results, *, model: str, digest: str, real: Told) -> str:
    """The whole report, Markdown; `real` is what it says of real micrographs."""
    events = sum(len(found) for found in results.events[NOMINAL].values())
    return f"""# Drift: when the judge alarms, and how often for nothing

Model {model}, graph SHA-256 `{digest[:16]}…`; virtual microscope, all lots simulated. Made by `python -m tests.benchmarks drift`
from {results.frames:,} frames scored once, on samples that neither the networks nor any calibration shown here has seen.
Nothing here is a claim about a real instrument; one section is about real micrographs, and says how few they are.

{results.splits} calibration splits: each takes {CALIBRATION_SAMPLES} of {CALM_SAMPLES} samples a lot to fit the judge,
and draws its streams from the others.
A stream is a row of samples, each of a lot drawn evenly, with {USUAL[0]} to {USUAL[1]} frames; lots are not declared unless said.
A sample's {FRAMES} frames come in the order they were taken, then are drawn again from the same ones
(`tests/benchmarks/drift/streams.py` says what that does to variances). Changes come after {LEAD_SAMPLES[0]} to {LEAD_SAMPLES[1]}
calm samples and last to the stream's end, at most {AFTER_SAMPLES} samples; a detector that is silent through them has missed.
The nominal run length is {NOMINAL:,} frames unless said; {events} streams with a change.
A false alarm is an episode opened; run lengths count frames while none is open.
Intervals of run lengths are exact two-sided 90 % of a Poisson count.

## Gates

{table_of_gates(results)}

## Realised run length

{_run_length_table(results)}

![realised run length by split](drift-run-length.png)

What the false alarms said: {_reasons(results)}.
Their samples' true lots: {_lots(results)}.

## Delay

Frames from the change to the alarm, the first changed frame being 1: median / 90 % point (share missed). Every peer is tuned by
bisection to the loosest limit that raises no more false alarms than ours did on the same calm streams; it starts afresh after each.

{_delay_table(results)}

![delay against run length](drift-delay.png)

![a stream with a mild change](drift-stream-0.25.png)

![a stream with a strong change](drift-stream-1.png)

## What was told

Kind at the alarm, share of the events that were not hidden by a false alarm's episode:

{_confusion(results, "kind")}

After {FOLLOWED_SAMPLES} more samples:

{_confusion(results, "settled")}

Onset, samples from the true one, at the alarm and settled (before, same, one later, later); and episodes opened for one change:

{_onsets(results)}

By unseen lot:

{_unseen(results)}

## Ageing

{_ageing(results)}

## On real micrographs, as far as the samples reach

{real.section}
## Where this fails

{_failures(results, real)}
"""


def _run_length_table(results: Results) -> str:
    named: list[tuple[str, list[dict[str, Any]]]] = [(f"nominal {nominal:,}", results.calm[nominal]) for nominal in sorted(results.calm)]
    named += [(f"nominal {NOMINAL:,}, split {number}", [run]) for number, run in enumerate(results.calm[NOMINAL])]
    named += [(f"nominal {NOMINAL:,}, samples of {habit}", results.habits[habit]) for habit in HABITS]
    named += [(f"nominal {NOMINAL:,}, lots declared", results.declared)]
    rows = []
    for name, runs in named:
        value, interval, alarms = length_said(run_length(runs))
        shown, at_risk = sum(run["frames"] for run in runs), sum(run["at_risk"] for run in runs)
        samples = sum(run["samples"] for run in runs)
        rows.append((name, f"{shown:,}", f"{samples:,}", f"{100 * (1 - at_risk / shown):.2f} %", alarms, value, interval))
    return table(("stream", "frames", "samples", "inside episodes", "alarms", "frames between them", "90 %"), rows)


def _reasons(results: Results) -> str:
    told = Counter(re.sub(r"[\d.]+ standard deviations", "so many standard deviations", reason.split(" what ")[0])
                   for run in results.calm[NOMINAL] for _, _, reason, _ in run["opened"])  # fmt: skip
    return "; ".join(f"{count} x “{reason}”" for reason, count in told.most_common(8)) or "there were none"


def _lots(results: Results) -> str:
    lots = Counter(lot for run in results.calm[NOMINAL] for *_, lot in run["opened"])
    return ", ".join(f"{lot} {count}" for lot, count in lots.most_common(8)) or "none"


def _unseen(results: Results) -> str:
    events = events_of(results, "unseen lot")
    rows = []
    for lot in sorted({event["lot"] for event in events}):
        these = [event for event in events if event["lot"] == lot]
        kinds = Counter(event["kind"] or "missed" for event in these)
        told = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
        rows.append((lot, str(len(these)), share_said([event["samples"] == 0 for event in these]), delay_said(delays(these)), told))
    return table(("lot", "events", "inside its first sample", "delay", "told"), rows)


def _delay_table(results: Results) -> str:
    changes = list(results.events[NOMINAL])
    ours = run_length(results.calm[NOMINAL])
    rows = [("**this judge**", f"{ours.alarms}", *(delay_said(delays(events_of(results, change))) for change in changes))]
    for score in SCORES:
        for family in FAMILIES:
            row = results.peers.get(NOMINAL, {}).get(f"{score} / {family.name}")
            if row is None:
                continue
            name = f"{family.name}; {score}"
            if not row["reached"]:
                rows.append((f"{name}, {family.parameter} {row['limit']:.4g}", f"{row['alarms']}: cannot reach", *("-" for _ in changes)))
                continue
            found = [[math.inf if delay is None else float(delay) for delay in row["delays"][change]] for change in changes]
            rows.append((f"{name}, {family.parameter} {row['limit']:.4g}", str(row["alarms"]), *map(delay_said, found)))
    return table(("detector", "false alarms", *changes), rows)


def _confusion(results: Results, what: str) -> str:
    rows = []
    for change in results.events[NOMINAL]:
        told = [event[what] or "missed" for event in events_of(results, change)]
        counts = Counter(told)
        shares = [f"{counts[kind] / max(len(told), 1):.2f}" if counts[kind] else "" for kind in KINDS]
        rows.append(
            (
                change,
                str(len(told)),
                *(f"**{share}**" if share and kind == TRUE_KIND[change] else share for kind, share in zip(KINDS, shares, strict=True)),
            )
        )
    return table(("true change", "events", *KINDS), rows)


def _onsets(results: Results) -> str:
    rows = []
    for change in results.events[NOMINAL]:
        events = [event for event in events_of(results, change) if event["onset"] is not None]
        cells = []
        for what in ("onset", "settled_onset"):
            found = [event[what] for event in events]
            shares = [
                sum(test(value) for value in found) / max(len(found), 1)
                for test in (lambda v: v < 0, lambda v: v == 0, lambda v: v == 1, lambda v: v > 1)
            ]
            cells.append(" / ".join(f"{share:.2f}" for share in shares))
        opened = sum(event["opened"] for event in events) / max(len(events), 1)
        rows.append((change, *cells, f"{opened:.2f}"))
    return table(("true change", "at the alarm", "settled", "episodes a change"), rows)


def _ageing(results: Results) -> str:
    found = results.accuracy
    rows = [
        (f"{current:.2f}", f"{accuracy:.3f}", f"{100 * loss:.1f} ± {100 * error:.1f}")
        for current, accuracy, loss, error in zip(found["current"], found["accuracy"], found["loss"], found["error"], strict=True)
    ]
    text = table(("beam current", "accuracy, frames", "lost, points (± standard error over samples)"), rows)
    at = [math.inf if event["samples"] is None else event["samples"] + 1.0 for event in events_of(results, "ageing")]
    if not at:
        return "Not measured."
    places = [quantile(at, share) for share in (0.1, 0.5, 0.9)]
    told = ", ".join("missed" if math.isinf(place) else f"{(1 - LOSS_A_SAMPLE) ** place:.2f} (sample {place:.0f})" for place in places)
    return (
        f"{text}\n\nThe beam loses 1 % a sample, shown at the nearest current there is. Our alarm at 10 / 50 / 90 % of the streams: {told}."
    )


def _failures(results: Results, real: Told) -> str:
    failed = [f"- {gate.name}: wanted {gate.wanted}, found {gate.found}." for gate in gates(results) if gate.passed is False]
    unreached = [name for name, row in results.peers.get(NOMINAL, {}).items() if not row["reached"]]
    if unreached:
        failed.append(f"- At no limit do these peers come to our run length, so nothing is said of their delay: {'; '.join(unreached)}.")
    if results.absent:
        failed.append(
            f"- {results.absent} visits of the study had not been scored when this was made; what rests on them is thinner than planned."
        )
    return "\n".join([
        *failed,
        *(f"- {failure}" for failure in real.failures),
        f"- The splits share {CALM_SAMPLES} samples a lot: their run lengths are not independent, and the pooled interval is too narrow.",
        "- A sample's frames beyond the pool's own are drawn again: very long samples are only as rich as their first frames.",
        f"- Events of a split share {CHANGED_SAMPLES - ALTERED_SAMPLES} changed sample(s) a lot: delays vary less than they would.",
        "- Every stream on which a gate rests is simulated; the real micrographs are of too few samples for a run length.",
    ])  # fmt: skip
