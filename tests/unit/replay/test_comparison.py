"""Which alarms are the same, which differ, which are new and which are gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from edge_agent.core.verdict import FrameRef
from edge_agent.replay import Alarm, Pace, Place, Standing, compare

BEGAN = datetime(2026, 9, 1, tzinfo=UTC)


def place(number: int) -> Place:
    return Place(number, FrameRef(number, f"{number}.tif", 0, "S", BEGAN + timedelta(minutes=number)))


def alarm(opened: int | None, closed: int | None = None, **changes: Any) -> Alarm:
    told = {
        "episode": f"e{opened}", "phase": "opened", "revision": 0, "kind": "unseen_lot", "confidence": 0.9, "reason": "far", "action": "-",
        "onset_path": f"{opened}.tif", "onset_frame_index": 0, "onset_sample": "S", "onset_time": "t", "evidence_paths": ["a"],
        "evidence_frame_indices": [0], **changes,
    }  # fmt: skip
    alerts = [told] if closed is None else [told, {**told, "phase": "closed", "revision": 1}]
    return Alarm(alerts, None if opened is None else place(opened), None if closed is None else place(closed))


@pytest.mark.parametrize(
    ("replayed", "raised", "expected"),
    [
        ([alarm(3, 9)], [alarm(3, 9)], [("same", "")]),
        ([alarm(3, 9)], [], [("new", "")]),
        ([], [alarm(3, 9)], [("no longer", "")]),
        ([alarm(5, 9)], [alarm(3, 9)], [("changed", "opened 2 frames later; onset was 3.tif")]),
        ([alarm(3, 7)], [alarm(3)], [("changed", "was still open")]),
        ([alarm(3, 7)], [alarm(3, 9)], [("changed", "closed 2 frames earlier")]),
        ([alarm(3, kind="unrelated")], [alarm(3)], [("changed", "was unseen_lot")]),
        ([alarm(3, confidence=0.5)], [alarm(3)], [("changed", "evidence, confidence or words differ")]),
        ([alarm(10)], [alarm(3, 9)], [("no longer", ""), ("new", "")]),
        ([alarm(3, kind="degraded", episode="x")], [alarm(3)], [("new", ""), ("no longer", "")]),
        ([alarm(2, 3), alarm(5, 9)], [alarm(5, 9), alarm(2, 3)], [("same", ""), ("same", "")]),
        ([alarm(4, 6)], [alarm(None)], [("changed", "onset was None.tif; was still open")]),
    ],
)
def test_alarms_are_paired_by_what_they_say_and_then_by_when(
    replayed: list[Alarm], raised: list[Alarm], expected: list[tuple[str, str]]
) -> None:
    lines = compare(replayed, raised)
    assert [(line.standing.value, line.difference) for line in lines] == expected


def test_each_alarm_stands_in_one_line() -> None:
    replayed, raised = [alarm(2, 4), alarm(3, 5)], [alarm(1, 9)]
    lines = compare(replayed, raised)
    assert [line.standing for line in lines] == [Standing.CHANGED, Standing.NEW]
    assert [line.raised for line in lines] == [raised[0], None]


def test_frames_pass_at_their_pace_and_a_clock_that_jumps_back_costs_nothing() -> None:
    waits: list[float] = []
    pace = Pace(60.0, waits.append)
    for minute in (0, 1, 4, 2, 3):
        pace.wait_for(BEGAN + timedelta(minutes=minute))
    assert waits == [1.0, 3.0, 1.0]
