"""The demo's verdict on itself."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from edge_agent.core.event import Event
from edge_agent.core.verdict import Kind
from edge_agent.demo import Alarm, compare
from edge_agent.demo.picture import BLUE, GAP, PLOT_HEIGHT, TOP, Thumbnail, draw
from edge_agent.demo.record import Point, Record
from edge_agent.demo.scenario import Injection, injections, plan_demo
from edge_agent.demo.view import View
from edge_agent.simulate import Micrographs

INJECTED = (Injection("filament", 10, 19), Injection("unseen", 30, 39))


def alarm(opened, kind, closed=None):
    return Alarm(f"E{opened}", opened, kind, "because", closed)


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


def test_a_record_follows_an_episode_to_its_end():
    record = Record()
    scored = {
        "path": "S/1.tif",
        "sample": "S",
        "lot": "ebc",
        "entropy": 0.1,
        "drift_statistic": 1.0,
        "drift_threshold": 5.0,
        "drift_state": "alarm",
    }
    told = {"episode": "E", "path": "S/1.tif", "confidence": 0.5, "reason": "why"}
    record.take(event("edge.frame.scored.v1", **scored))
    assert "unseen_lot" in (record.take(event("edge.alert.opened.v1", kind="unseen_lot", **told)) or "")
    record.take(event("edge.alert.updated.v1", kind="unrelated", **told))
    record.take(event("edge.frame.scored.v1", **scored))
    record.take(event("edge.alert.closed.v1", kind="unrelated", **told))
    assert record.alarms["E"] == Alarm("E", 0, Kind.UNRELATED, "why", 1, [Kind.UNSEEN_LOT, Kind.UNRELATED])


def test_the_picture_is_drawn(tmp_path):
    points = [Point(f"S/{n}.tif", "S", "ebc", 0.1, n / 10, 4.9, in_alarm=False) for n in range(50)]
    thumbnail = Thumbnail(np.zeros((8, 8), np.uint8), ((0.1, 0.5), (0.9, 1.0)), "normal")
    draw(tmp_path / "out" / "demo.png", points, INJECTED, [alarm(12, Kind.UNRELATED, 20)], [thumbnail], "a note")
    assert (tmp_path / "out" / "demo.png").stat().st_size > 5_000


def test_a_frame_that_is_not_judged_is_a_gap_and_no_zero(tmp_path):
    record, console = Record(), Console(file=io.StringIO(), width=120)
    scored = {"path": "S/1.tif", "sample": "S", "lot": "ebc", "entropy": 0.1, "drift_state": "uncalibrated"}
    record.take(event("edge.frame.scored.v1", **scored, drift_statistic=None, drift_threshold=None))
    assert record.points[0].statistic is None
    with View(console, record, 1) as view:
        view.show(None)
    console.print(view._screen())
    assert "drift not judged" in console.file.getvalue()
    assert "drift      ?" in console.file.getvalue()
    judged = Point("S/2.tif", "S", "ebc", 0.1, 1.0, 5.0, in_alarm=False)
    pictures = []
    for name, points in (("all", [judged] * 9), ("gap", [judged] * 3 + record.points * 3 + [judged] * 3), ("none", record.points * 9)):
        draw(tmp_path / f"{name}.png", points, [], [], [], "a note")
        pictures.append((np.asarray(Image.open(tmp_path / f"{name}.png")) == BLUE).all(axis=2)[TOP + PLOT_HEIGHT + GAP :].sum())
    assert pictures[0] > pictures[1] > pictures[2] == 0
