"""What a run came to, as JSON and as a page."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.faults.bench.script import KILLS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.bench.checker import Run
    from tests.faults.bench.faults import Happened

SHOWN_S = 5.0
"""Readiness shows a fault, and its end, within this time."""


def outcome_counts(run: Run) -> dict[str, Any]:
    """Files, frames and events."""
    return {
        "files_written": run.truth.files,
        "contents_written": sum(map(len, run.truth.versions.values())),
        "admissions": len(run.kept.admissions),
        "outcomes": dict(Counter(one.outcome for one in run.kept.admissions)),
        "quarantined_for": dict(Counter(one.cause for one in run.kept.admissions if one.outcome == "quarantined")),
        "frames_judged": len(run.kept.frames),
        "events_in_journal": len(run.kept.outbox),
        "events_consumed": len(run.consumed),
        "alerts": sum(record.type.startswith("edge.alert.") for record in run.consumed),
        "alerts_undisturbed": len(run.undisturbed.alerts),
    }


def fault_counts(happened: Sequence[Happened]) -> dict[str, Any]:
    """How often each kind struck, and at what the agent was killed."""
    struck = [one for one in happened if not one.note.startswith("missed")]
    return {
        "kills": sum(one.kind in KILLS for one in struck),
        "kills_by_kind": dict(Counter(one.kind for one in struck if one.kind in KILLS)),
        "agent_killed_while": dict(Counter(one.note for one in struck if one.kind == "kill_agent")),
        "faults_by_kind": dict(Counter(one.kind for one in struck)),
        "missed": dict(Counter(one.kind for one in happened if one.note.startswith("missed"))),
    }


def readiness_table(measured: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """By kind of fault: seconds until /readyz showed it and its end; only faults that lasted SHOWN_S or longer must be shown."""
    table = {}
    for kind in sorted({one["kind"] for one in measured}):
        mine = [one for one in measured if one["kind"] == kind]
        shown = [one["shown_s"] for one in mine if one["shown_s"] is not None]
        over = [one["over_s"] for one in mine if one["over_s"] is not None]
        table[kind] = {
            "measured": len(mine),
            "shown_s": _spread(shown),
            "not_shown_in_time": sum(
                one["lasted_s"] > SHOWN_S + 0.5 and (one["shown_s"] is None or one["shown_s"] > SHOWN_S) for one in mine
            ),
            "over_s": _spread(over),
            "not_over_in_time": sum(one["over_s"] is None or one["over_s"] > SHOWN_S for one in mine),
        }
    return table


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    return {"median": round(statistics.median(values), 2), "longest": round(max(values), 2)} if values else None


def in_words(report: dict[str, Any]) -> str:
    """The report as a page of text."""
    counts, faults = report["counts"], report["faults"]
    killed = _listed(faults["agent_killed_while"])
    lines = [
        f"Fault bench, seed {report['seed']}: {report['verdict']}",
        f"again: {report['command']}",
        f"{report['minutes']:.1f} minutes; {faults['kills']} kills ({_listed(faults['kills_by_kind'])}); agent killed while {killed}",
        f"all faults: {_listed(faults['faults_by_kind'])}",
        f"{counts['files_written']} files, {counts['contents_written']} contents, {counts['frames_judged']} frames judged",
        f"quarantine: {_listed(counts['quarantined_for'])}",
        f"{counts['events_in_journal']} events in the journal, {counts['events_consumed']} consumed read-committed",
        f"{counts['alerts']} alert events, undisturbed {counts['alerts_undisturbed']}",
        f"agent at the end: {_listed(report['agent'])}",
        f"ended by itself {len(report['ends'])} times",
        *(f"  {end}" for end in report["ends"][:20]),
        "readiness, seconds until it shows a fault | its end (median, longest; late ones of measured):",
    ]
    for kind, row in report["readiness"].items():
        shown, over = f"{row['shown_s']} late {row['not_shown_in_time']}", f"{row['over_s']} late {row['not_over_in_time']}"
        lines.append(f"  {kind:16} {shown} | {over} of {row['measured']}")
    lines += [f"difference: {difference}" for difference in report["differences"][:20]]
    return "\n".join(lines) + "\n"


def _listed(counts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in counts.items()) or "none"
