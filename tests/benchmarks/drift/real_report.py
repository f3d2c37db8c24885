"""The page's section on real micrographs: what was found, and what so few sources can and cannot show."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from scipy.stats import beta

from tests.benchmarks.drift.gates import TRUE_KIND, delays, run_length, share_said
from tests.benchmarks.drift.real_pictures import CALM_FRAMES, OTHER_FRAMES
from tests.benchmarks.drift.real_run import CONTROL, LEFT_OUT, NOMINAL, ORDERS, PEERS, SHIPPED
from tests.benchmarks.drift.tables import delay_said, length_said, table
from tests.benchmarks.drift.tuning import SURE, RunLength

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.benchmarks.drift.real_run import RealResults


class Told(NamedTuple):
    """What the page says of real micrographs: its section, and lines for where the judge fails."""

    section: str
    failures: tuple[str, ...] = ()


ABSENT = Told("Left out: the micrographs are not at hand (`--data DIR` names the folder that holds the lots).\n")


def share_interval(found: int, count: int) -> tuple[float, float]:
    """Exact two-sided 90 % interval of a share (Clopper & Pearson 1934)."""
    low = 0.0 if found == 0 else float(beta.ppf((1 - SURE) / 2, found, count - found + 1))
    return low, 1.0 if found == count else float(beta.ppf((1 + SURE) / 2, found + 1, count - found))


def tell(results: RealResults, *, model: str, digest: str) -> Told:
    """The section without its heading, and the failures."""
    return Told(_section(results, model, digest), tuple(_failures(results)))


def _section(results: RealResults, model: str, digest: str) -> str:
    return f"""Model {model}, graph SHA-256 `{digest[:16]}…`, {results.frames:,} frames scored once: fields of view as
`edge-agent simulate --source real` shows them. The networks were trained on none of the pictures shown here; the calibration side
chose their best step. Pictures of each independent source:

{_sources(results)}

**{_capital(LEFT_OUT)}**: {len(results.guarantee[LEFT_OUT])} calibrations, each on all but one source of every lot of both sides, and on the
acquisition statistics of the training pictures, as shipped ({_calibrating(results)} sources); its streams show the sources left out.
**{_capital(SHIPPED)}**: what a user has.

A stream shows each held-out picture once, {CALM_FRAMES} frames of it, and after a change {OTHER_FRAMES} frames of each picture changed;
no frame comes twice. The filament change is simulated on real frames; unseen lots and photographs are real.
“{_capital(CONTROL)}” visits the same pictures again, by other fields, with nothing changed: what is told there would have been told anyway.
Its visits, like those after a change, are shorter than the calm ones: alarms that take a long visit do not show in it.
The melt-pool tiles are probably optical, so that lot is easier to tell than an unseen one of the same microscope.
Each stream is drawn in {ORDERS} orders: two orders, or two visits to one picture, are one look at the same material. The judge
promises nothing here, and says so: “{results.guarantee[SHIPPED][0]}”

### False alarms on sources that did not calibrate

{_calm(results)}

{_limits(results)}

{_called(results)}

### Changes

Frames from the change to the alarm, median / 90 % point (share missed).

{_changes(results)}

### Beside ADWIN and CUSUM on raw H

Each is tuned to the loosest limit that raises no more alarms than the judge did on the same calm streams: one in
{_pace(results, LEFT_OUT)} frames with sources left out, one in {_pace(results, SHIPPED)} as shipped. These limits are those of
detectors that alarm all the time; nothing is known here of limits that a lab could bear. Delays as above.

{_peers(results)}

![a real stream with a simulated filament change](drift-stream-real.png)
"""  # fmt: skip


def _sources(results: RealResults) -> str:
    rows = []
    for side, lots in results.pictures.items():
        for lot, held in lots.items():
            named = ", ".join(f"{source} {count}" for source, count in held.items()) if len(held) <= 6 else "one each"
            rows.append((side, lot, str(len(held)), str(sum(held.values())), named))
    return table(("side", "lot", "sources", "pictures", "of each"), rows)


def _calibrating(results: RealResults) -> str:
    """Sources of each lot that calibrate while one is left out."""
    held: Counter[str] = Counter()
    for side in ("calibration", "test"):
        held.update({lot: len(found) for lot, found in results.pictures[side].items()})
    return ", ".join(f"{lot} {max(1, count - 1)}" for lot, count in sorted(held.items()))


def _calm(results: RealResults) -> str:
    rows = []
    for way, runs in results.calm.items():
        once = [run for run in runs if run["order"] == 0]
        alarmed, shown = _alarmed(runs)
        low, high = share_interval(len(alarmed), len(shown))
        length = run_length(once)
        _, interval, alarms = length_said(length)
        rows.append(
            (
                way,
                f"{sum(run['samples'] for run in once)}",
                f"{sum(run['frames'] for run in once):,}",
                alarms,
                interval,
                f"{sum(len(run['opened']) for run in runs)} in {len(runs)}",
                f"{len(alarmed)} of {len(shown)} ({100 * low:.0f} to {100 * high:.0f} %)",
            )
        )
    head = ("calibration", "visits, one order", "frames", "alarms", "frames between them, 90 %", "alarms, streams of all orders",
            "sources with an alarm in any order (exact 90 %)")  # fmt: skip
    return table(head, rows)


def _limits(results: RealResults) -> str:
    """What the counts can show, reckoned from them."""
    alarmed, shown = _alarmed(results.calm[LEFT_OUT])
    low, high = share_interval(len(alarmed), len(shown))
    length = run_length(run for run in results.calm[LEFT_OUT] if run["order"] == 0)
    if length.high < NOMINAL:
        verdict = (
            f"the nominal run length of {NOMINAL:,} frames is not kept on these sources: {length.alarms} alarms in {length.frames:,} "
            f"frames at risk leave {length.high:,.0f} at most, and {len(alarmed)} of {len(shown)} sources is {100 * low:.0f} % or more"
        )
    else:
        verdict = f"that no more than {100 * high:.0f} % of sources raise a false alarm"
    silent = RunLength(length.frames, 0)
    needed = NOMINAL / RunLength(1, 0).lower_90
    return (
        f"What this shows: {verdict}. What it cannot show: that a run length is kept. Were all frames at risk independent, no alarm "
        f"in {silent.frames:,} of them would say {silent.lower_90:,.0f} frames at 90 %; {NOMINAL:,} would take {needed:,.0f} frames "
        f"without an alarm, {needed / CALM_FRAMES:,.0f} visits of {CALM_FRAMES} to independent samples, where there are {len(shown)}."
    )


def _failures(results: RealResults) -> Iterator[str]:
    for way, runs in results.calm.items():
        alarmed, shown = _alarmed(runs)
        if alarmed:
            low, high = share_interval(len(alarmed), len(shown))
            yield (
                f"On real micrographs, {way}: false alarms on {len(alarmed)} of {len(shown)} sources "
                f"({100 * low:.0f} to {100 * high:.0f} %), one in {_pace(results, way)} frames."
            )
        for change, streams in results.events[way].items():
            found = delays(streams)
            missed = sum(map(math.isinf, found))
            if missed and change != CONTROL:
                yield f"On real micrographs, {way}: {change} missed in {missed} of {len(found)} streams."


def _pace(results: RealResults, way: str) -> str:
    length = run_length(results.calm[way])
    return f"{length.value:,.0f}" if length.alarms else f"more than {length.frames:,}"


def _called(results: RealResults) -> str:
    """Sources that were called, and with what words most often."""
    rows = []
    for way, runs in results.calm.items():
        for source in _alarmed(runs)[0]:
            opened = [episode for run in runs for episode in zip(run["opened_in"], run["opened"], strict=True)]
            told = Counter(reason for place, (_, _, reason, _) in opened if place == source)
            count, streams = (sum(source in run[what] for run in runs) for what in ("opened_in", "shown"))
            rows.append((way, source, f"{count} of {streams}", f"“{told.most_common(1)[0][0]}”"))
    if not rows:
        return "No source was called."
    return table(("calibration", "source", "streams with an alarm in it", "said most often"), rows)


def _alarmed(runs: Sequence[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Sources in whose visits an episode opened in any order, and all that were shown."""
    return sorted({source for run in runs for source in run["opened_in"]}), sorted({source for run in runs for source in run["shown"]})


def _changes(results: RealResults) -> str:
    return "\n\n".join(f"{_capital(way)}:\n\n{_told(events)}" for way, events in results.events.items())


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


def _told(events: dict[str, list[dict[str, Any]]]) -> str:
    rows = []
    for change, streams in events.items():
        for lot in sorted({event["lot"] for event in streams}):
            these = [event for event in streams if event["lot"] == lot]
            rows.append((change, lot, *_cells(these, TRUE_KIND.get(change))))
    head = ("change", "lot it came in", "streams", "sources", "hidden by a false alarm", "told", "delay", "inside its first sample",
            "kind right at the alarm", "settled")  # fmt: skip
    return table(head, rows)


def _cells(events: list[dict[str, Any]], true_kind: str | None) -> tuple[str, ...]:
    seen = [event for event in events if not event["masked"]]
    told = [event for event in seen if event["delay"] is not None]
    kinds = [share_said([event[what] == true_kind for event in told]) if true_kind else "-" for what in ("kind", "settled")]
    return (
        str(len(events)),
        str(len({event["source"] for event in events})) if true_kind != "unrelated" else "-",
        str(len(events) - len(seen)),
        f"{len(told)} of {len(seen)}",
        delay_said(delays(events)),
        share_said([event["samples"] == 0 for event in seen]),
        *kinds,
    )


def _peers(results: RealResults) -> str:
    parts = []
    for way, events in results.events.items():
        alarms = sum(len(run["opened"]) for run in results.calm[way])
        rows = [("**this judge**", str(alarms), *(delay_said(delays(streams)) for streams in events.values()))]
        for family in PEERS:
            row = results.peers[way][family.name]
            found = [[math.inf if delay is None else float(delay) for delay in row["delays"][change]] for change in events]
            said = map(delay_said, found) if row["reached"] else ("-" for _ in events)
            rows.append((f"{family.name}, {family.parameter} {row['limit']:.4g}", _reached(row), *said))
        parts.append(f"{_capital(way)}:\n\n{table(('detector', 'false alarms', *events), rows)}")
    return "\n\n".join(parts)


def _reached(row: dict[str, Any]) -> str:
    return str(row["alarms"]) if row["reached"] else f"{row['alarms']}: cannot reach"
