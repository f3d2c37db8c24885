"""The bench's checker can fail: each kind of loss, doubling, disorder and difference is named, and nothing is where nothing is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.faults.bench.checker import Admitted, Consumed, Judged, Kept, Queued, Run, Undisturbed, alert_of, differences
from tests.faults.bench.script import KILLS, KINDS, draw_script
from tests.faults.bench.truth import OPTIONAL, QUARANTINED, SCORED, UNREADABLE, Truth

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = "bench/sem"
FRAMES = 4
ALERT = {
    "kind": "acquisition_change",
    "revision": 0,
    "onset_path": "S0/1.tif",
    "onset_frame_index": 0,
    "evidence_paths": ["S0/1.tif", "S0/2.tif"],
    "evidence_frame_indices": [0, 0],
}


def data(number: int) -> dict:
    return {
        "stream": "sem", "path": f"S0/{number}.tif", "content_hash": f"hash {number}",
        "lot": "ebc", "entropy": 0.25, "drift_statistic": 1.5, "drift_state": "in_control",
    }  # fmt: skip


def sound() -> Run:
    """Four good frames and a bad file; the third frame raises an alert."""
    truth = Truth()
    frames, outbox, consumed, admissions = [], [], [], []

    def tell(topic: str, kind: str, name: str, told: dict) -> None:
        outbox.append(Queued(len(outbox) + 1, name, kind, topic, KEY))
        consumed.append(Consumed(topic, 0, KEY, name, kind, told))

    for number in range(FRAMES):
        path = f"S0/{number}.tif"
        truth.add(path, f"hash {number}", SCORED, (number, 6.0), 0.0)
        admissions.append(Admitted(number + 1, path, "scored", None, None))
        frames.append(Judged(number + 1, path, 0, f"hash {number}", f"event {number}", data(number)))
        tell("edge.frames", "edge.frame.scored.v1", f"event {number}", data(number))
        if number == 2:
            tell("edge.alerts", "edge.alert.opened.v1", "alert", ALERT)
    truth.add("S0/bad.tif", "", QUARANTINED, (0, 6.0), 0.0)
    truth.excuse("S0/bad.tif", "wrong_type")
    admissions.append(Admitted(9, "S0/bad.tif", "quarantined", "wrong_type", "is text"))
    tell("edge.frames", "edge.frame.quarantined.v1", "bad", {"stream": "sem", "path": "S0/bad.tif"})
    quiet = Undisturbed((alert_of("edge.alert.opened.v1", ALERT),), tuple(data(number) for number in range(FRAMES)))
    return Run(truth, Kept(admissions, frames, outbox), consumed, quiet)


def first(run: Run) -> str:
    return next(differences(run), "")


def test_a_sound_run_has_no_difference() -> None:
    assert list(differences(sound())) == []


def lost(run: Run) -> Run:
    return replace(run, consumed=[record for record in run.consumed if record.id != "event 1"])


def doubled(run: Run) -> Run:
    return replace(run, consumed=[*run.consumed, run.consumed[1]])


def reordered(run: Run) -> Run:
    one, other, *rest = run.consumed
    return replace(run, consumed=[other, one, *rest])


def another_alert(run: Run) -> Run:
    return with_alert(run, {**ALERT, "onset_path": "S0/0.tif"})


def other_evidence(run: Run) -> Run:
    return with_alert(run, {**ALERT, "evidence_paths": ["S0/1.tif", "S0/3.tif"]})


def with_alert(run: Run, alert: dict) -> Run:
    return replace(run, consumed=[replace(record, data=alert) if record.id == "alert" else record for record in run.consumed])


def no_alert(run: Run) -> Run:
    kept = replace(run.kept, outbox=[row for row in run.kept.outbox if row.id != "alert"])
    return replace(run, kept=kept, consumed=[record for record in run.consumed if record.id != "alert"])


def without_reason(run: Run) -> Run:
    bad = replace(run.kept.admissions[-1], cause=None, detail=None)
    return replace(run, kept=replace(run.kept, admissions=[*run.kept.admissions[:-1], bad]))


def for_another_reason(run: Run) -> Run:
    bad = replace(run.kept.admissions[-1], cause="vanished")
    return replace(run, kept=replace(run.kept, admissions=[*run.kept.admissions[:-1], bad]))


def never_judged(run: Run) -> Run:
    run.truth.add("S0/more.tif", "hash more", SCORED, (5, 6.0), 0.0)
    return run


def good_but_in_quarantine(run: Run) -> Run:
    never_judged(run)
    run.truth.excuse("S0/more.tif", "truncated")
    return replace(
        run, kept=replace(run.kept, admissions=[*run.kept.admissions, Admitted(10, "S0/more.tif", "quarantined", "truncated", "?")])
    )


def judged_twice(run: Run) -> Run:
    again = replace(run.kept.frames[1], seq=8, event_id="again")
    return replace(run, kept=replace(run.kept, frames=[*run.kept.frames, again]))


def judged_though_nobody_wrote_it(run: Run) -> Run:
    torn = replace(run.kept.frames[1], content_hash="half old, half new")
    return replace(run, kept=replace(run.kept, frames=[run.kept.frames[0], torn, *run.kept.frames[2:]]))


def unfinished(run: Run) -> Run:
    return replace(run, kept=replace(run.kept, admissions=[*run.kept.admissions, Admitted(10, "S0/9.tif", None, None, None)]))


def invented(run: Run) -> Run:
    return replace(run, consumed=[*run.consumed, replace(run.consumed[0], id="stranger")])


def admitted_in_another_order(run: Run) -> Run:
    """Journal and consumer agree, but frame 0 was admitted last."""
    late = replace(run.kept.frames[0], seq=7)
    return replace(run, kept=replace(run.kept, frames=[late, *run.kept.frames[1:]]))


def judged_otherwise(run: Run) -> Run:
    frame = run.kept.frames[3]
    other = replace(frame, data={**frame.data, "drift_statistic": 2.5})
    return replace(run, kept=replace(run.kept, frames=[*run.kept.frames[:3], other]))


def crashed(run: Run) -> Run:
    return replace(run, crashes=["crashed: life 3 ended by itself with -7"])


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lost, "lost: event 2 (edge.frame.scored.v1, event 1) of bench/sem"),
        (doubled, "doubled: event 2"),
        (reordered, "reordered: a consumer of edge.frames got event event 1"),
        (admitted_in_another_order, "reordered: S0/1.tif (admitted as number 2) came after number 7"),
        (another_alert, "another alert: number 0 is edge.alert.opened.v1 acquisition_change revision 0 since S0/0.tif"),
        (other_evidence, "another alert: number 0"),
        (no_alert, "another alert: number 0"),
        (without_reason, "no reason: S0/bad.tif"),
        (for_another_reason, "wrongly in quarantine: S0/bad.tif as vanished"),
        (never_judged, "lost: content 0 of S0/more.tif was never judged"),
        (good_but_in_quarantine, "lost: content 0 of S0/more.tif was never judged (in quarantine: truncated"),
        (judged_twice, "doubled: content 0 of S0/1.tif was judged 2 times"),
        (judged_though_nobody_wrote_it, "lost: content 0 of S0/1.tif"),
        (unfinished, "unfinished: S0/9.tif"),
        (invented, "invented: a consumer of edge.frames got event stranger"),
        (judged_otherwise, "another judgement: drift_statistic of S0/3.tif is 2.5, undisturbed 1.5"),
        (crashed, "crashed: life 3"),
    ],
)
def test_what_is_wrong_is_named_first(spoil: Callable[[Run], Run], says: str) -> None:
    assert first(spoil(sound())).startswith(says)


def test_a_frame_that_nobody_wrote_is_named() -> None:
    assert any(found.startswith("invented: a frame of S0/1.tif") for found in differences(judged_though_nobody_wrote_it(sound())))


def test_a_content_that_was_replaced_before_it_was_read_may_be_missing_but_not_doubled() -> None:
    run = never_judged(sound())
    (version,) = run.truth.versions["S0/more.tif"]
    version.fate = OPTIONAL
    assert list(differences(run)) == []
    more = Judged(8, "S0/more.tif", 0, "hash more", "more", data(3))
    assert "doubled: content 0 of S0/more.tif" in "".join(
        differences(replace(run, kept=replace(run.kept, frames=[*run.kept.frames, more, more])))
    )


def test_a_good_file_in_a_locked_folder_may_be_in_quarantine_as_unreadable() -> None:
    run = never_judged(sound())
    run.truth.excuse_below("S0", UNREADABLE)
    locked = Admitted(10, "S0/more.tif", "quarantined", UNREADABLE, "cannot be read (Permission denied)")
    assert list(differences(replace(run, kept=replace(run.kept, admissions=[*run.kept.admissions, locked])))) == []


def test_truth_is_kept_over_a_file(tmp_path: Path) -> None:
    truth = sound().truth
    truth.save(tmp_path / "truth.json")
    assert Truth.load(tmp_path / "truth.json") == truth


def test_a_script_is_its_seeds_and_holds_every_kind() -> None:
    steps = draw_script(5, 200, list(KINDS))
    assert steps == draw_script(5, 200, list(KINDS))
    assert steps != draw_script(6, 200, list(KINDS))
    faults = [fault for step in steps for fault in step.faults]
    assert {fault.kind for fault in faults} == set(KINDS)
    assert sum(fault.kind in KILLS for fault in faults) == 200
    pairs = [step.faults for step in steps if len(step.faults) == 2]
    assert all(not (KINDS[one.kind].takes & KINDS[other.kind].takes) for one, other in pairs)
