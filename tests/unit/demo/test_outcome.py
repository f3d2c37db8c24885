"""The demo's verdict on itself."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from edge_agent.core.event import Event
from edge_agent.core.verdict import Kind, Phase
from edge_agent.demo import Alarm, compare
from edge_agent.demo.lanes import rows_of_labels
from edge_agent.demo.marks import INK, VERMILION
from edge_agent.demo.outcome import Telling, in_words
from edge_agent.demo.panel import Frames
from edge_agent.demo.picture import EVIDENCE_BOTTOM, EVIDENCE_TOP, LEFT, RIGHT, WIDTH, Thumbnail, draw
from edge_agent.demo.record import Point, Record
from edge_agent.demo.scenario import Injection, injections, plan_demo
from edge_agent.demo.view import View
from edge_agent.simulate import Micrographs

INJECTED = (Injection("filament", 10, 19), Injection("unseen", 30, 39))


def alarm(opened, kind, closed=None):
    told = [Telling(opened, Phase.OPENED, kind, 0.8)]
    if closed is not None:
        told.append(Telling(closed, Phase.CLOSED, kind, 0.8))
    return Alarm(f"E{opened}", opened - 1, "because", told)


@pytest.mark.parametrize(
    ("alarms", "found", "passed"),
    [
        pytest.param([alarm(12, Kind.ACQUISITION_CHANGE, 25), alarm(31, Kind.UNSEEN_LOT)], True, True, id="all well"),
        pytest.param([alarm(12, Kind.ACQUISITION_CHANGE)], False, False, id="one missed"),
        pytest.param([alarm(12, Kind.UNRELATED), alarm(31, Kind.UNSEEN_LOT)], True, False, id="one misnamed"),
        pytest.param(
            [alarm(12, Kind.ACQUISITION_CHANGE), alarm(31, Kind.UNSEEN_LOT), alarm(5, Kind.UNRELATED)], True, False, id="one false"
        ),
        pytest.param([alarm(12, Kind.ACQUISITION_CHANGE), alarm(40, Kind.UNSEEN_LOT)], False, False, id="one too late"),
        pytest.param([], False, False, id="silence"),
    ],
)
def test_it_passes_only_when_all_is_found_named_and_nothing_else_alarmed(alarms, found, passed):
    outcome = compare(INJECTED, alarms)
    assert (outcome.all_found, outcome.passed) == (found, passed)


def test_delays_count_frames():
    row = compare(INJECTED[:1], [alarm(12, Kind.ACQUISITION_CHANGE, 25)]).rows[0]
    assert (row.delay, row.closed_after, row.repeats) == (2, 6, 0)


@pytest.mark.parametrize("seed", range(5))
def test_every_seed_injects_the_same_three_shifts(seed):
    plan = plan_demo(Micrographs.shipped(), seed)
    assert [injection.shift for injection in injections(plan, 12)] == ["filament", "unseen", "unrelated"]
    assert all(planned.label == planned.lot for planned in plan if planned.shift in {None, "filament"})


def event(type_, **data):
    return Event("id", type_, "/edge-agent/demo", "demo", "2026-01-01T00:00:00Z", "t", "k", json.dumps(data).encode())


def scored(number, **data):
    usual = {"path": f"S/{number}.tif", "sample": "S", "lot": "ebc", "entropy": 0.1, "drift_state": "in_control"}
    return event("edge.frame.scored.v1", **{**usual, "drift_statistic": 1.0, "drift_threshold": 4.0, **data})


def test_a_record_follows_an_episode_from_its_onset_to_its_end():
    record = Record()
    told = {"episode": "E", "path": "S/2.tif", "onset_path": "S/1.tif", "confidence": 0.5, "reason": "why"}
    for number in range(3):
        record.take(scored(number))
    assert "unseen_lot (50%): why Since S/1.tif." in (record.take(event("edge.alert.opened.v1", kind="unseen_lot", **told)) or "")
    record.take(scored(3))
    record.take(event("edge.alert.updated.v1", kind="unrelated", **told))
    assert record.alarms["E"].closed is None
    record.take(scored(4))
    record.take(event("edge.alert.closed.v1", kind="unrelated", **told))

    found = record.alarms["E"]
    assert (found.onset, found.opened, found.closed, found.kind) == (1, 2, 4, Kind.UNRELATED)
    assert [(telling.frame, telling.phase) for telling in found.tellings] == [(2, "opened"), (3, "updated"), (4, "closed")]


def test_the_outcome_in_words_names_delay_kinds_and_end():
    again = alarm(12, Kind.UNDETERMINED, 25)
    again.tellings[1:1] = [Telling(14, Phase.UPDATED, Kind.ACQUISITION_CHANGE, 0.97)]
    again.tellings[-1] = Telling(25, Phase.CLOSED, Kind.ACQUISITION_CHANGE, 0.97)

    found, missed, false = in_words(compare(INJECTED, [again, alarm(5, Kind.UNRELATED)]))

    assert found == (
        "filament change, frames 10 to 19: told with frame 12, 2 after the first, as undetermined (80%), with frame 14 as "
        "acquisition_change (97%); over with frame 25. because"
    )
    assert missed == "unseen lot, frames 30 to 39: NOT FOUND."
    assert false.startswith("Nothing was injected at frame 5, yet it was told as unrelated (80%).")
    (wrong,) = in_words(compare(INJECTED[:1], [alarm(12, Kind.UNRELATED)]))
    assert "still open. That is the WRONG kind." in wrong


def evidence_pixels(folder, points, colour, alarms=()):
    """Pixels of `colour` in the panel of the evidence, shape (height, width)."""
    draw(folder / "out" / "demo.png", points, INJECTED, alarms, [], setting="set so", note="a note")
    pixels = np.asarray(Image.open(folder / "out" / "demo.png"))
    return (pixels[EVIDENCE_TOP + 1 : EVIDENCE_BOTTOM - 1, LEFT + 1 : WIDTH - RIGHT - 1] == colour).all(axis=2)


def points(*statistics, threshold=4.0):
    return [Point(f"S/{n}.tif", f"S{n // 10}", "ebc", 0.1, told, threshold, in_alarm=False) for n, told in enumerate(statistics)]


def test_evidence_is_drawn_in_decades_beneath_and_above_its_limit(tmp_path):
    heights = {}
    for statistic in (1.0, 4.0, 30.0):
        rows = np.nonzero(evidence_pixels(tmp_path, points(*[statistic] * 50), INK).any(axis=1))[0]
        heights[statistic] = rows.mean()
    limit = np.nonzero(evidence_pixels(tmp_path, points(*[1.0] * 50), VERMILION).sum(axis=1) > 400)[0]

    assert heights[1.0] - heights[4.0] == pytest.approx(3 / 6 * (EVIDENCE_BOTTOM - EVIDENCE_TOP), abs=2)
    assert limit == pytest.approx([heights[4.0]], abs=2)
    assert heights[30.0] < 3


def test_a_single_judged_frame_between_others_is_seen(tmp_path):
    assert evidence_pixels(tmp_path, points(*[None] * 20, 2.0, *[None] * 20), INK).any()


def test_words_of_episodes_that_follow_closely_get_rows_of_their_own():
    frames = Frames(0, 1000, 100)

    assert rows_of_labels(frames, []) == 1
    assert rows_of_labels(frames, [alarm(2, Kind.UNRELATED, 5), alarm(60, Kind.UNRELATED)]) == 1
    close = [alarm(opened, Kind.ACQUISITION_CHANGE, opened + 3) for opened in (2, 8, 14)]
    assert rows_of_labels(frames, close) == 3
    assert rows_of_labels(frames, [alarm(86, Kind.ACQUISITION_CHANGE, 90), alarm(99, Kind.ACQUISITION_CHANGE)]) == 2


def test_thumbnails_and_a_picture_of_no_frames_are_drawn(tmp_path):
    thumbnail = Thumbnail(np.zeros((8, 8), np.uint8), ((0.1, 0.5), (0.9, 1.0)), "normal")
    draw(tmp_path / "demo.png", [], [], [], [thumbnail], setting="set so", note="a note")
    assert (tmp_path / "demo.png").stat().st_size > 5_000


def test_a_frame_that_is_not_judged_is_a_gap_and_no_zero(tmp_path):
    record, console = Record(), Console(file=io.StringIO(), width=120)
    record.take(scored(1, drift_statistic=None, drift_threshold=None, drift_state="uncalibrated"))
    assert record.points[0].statistic is None
    with View(console, record, 1) as view:
        view.show(None)
    console.print(view._screen())
    assert "not judged" in console.file.getvalue()
    assert "evidence   ?" in console.file.getvalue()

    drawn = [
        evidence_pixels(tmp_path, points(*told), INK).sum() for told in ([1.0] * 9, [1.0, 1, 1, None, None, None, 1, 1, 1], [None] * 9)
    ]
    assert drawn[0] > drawn[1] > drawn[2] == 0


def test_the_screen_marks_samples_and_names_the_diagnosis():
    record, console = Record(), Console(file=io.StringIO(), width=120)
    for number in range(6):
        record.take(scored(number, sample=f"S{number // 3}", drift_state="alarm"))
    told = {"episode": "E", "path": "S/5.tif", "onset_path": "S/3.tif", "confidence": 0.8, "reason": "why"}
    record.take(event("edge.alert.opened.v1", kind="unseen_lot", **told))

    console.print(View(console, record, 6)._screen())

    shown = console.file.getvalue()
    assert "samples    |  |  " in shown
    assert "ALARM: unseen_lot (80%)" in shown


def test_a_line_says_the_evidence_and_where_it_alarms():
    record, console = Record(), Console(file=io.StringIO(), width=120)
    record.take(scored(1, drift_statistic=2.2))
    with View(console, record, 1) as view:
        view.show(None)
    assert "evidence of change 158, alarm at 10,000" in console.file.getvalue()
