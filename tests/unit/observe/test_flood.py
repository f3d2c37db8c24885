"""A flood of equal lines is counted, not written."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog

from edge_agent.observe import configure_logging, flood
from edge_agent.observe.flood import KINDS, LINES, PERIOD_S, Flood

pytestmark = pytest.mark.usefixtures("logging_restored")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(Flood.__init__, "__defaults__", (lambda: now[0],))
    return now


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_ten_thousand_bad_files_are_a_few_lines_and_a_count(clock: list[float]) -> None:
    stream = io.StringIO()
    configure_logging("info", "json", stream=stream)
    log = structlog.get_logger("edge_agent.pipeline")
    for number in range(10_000):
        log.warning("quarantined", stream="sem", path=f"{number}.tif", cause="truncated", reason=f"byte {number}")
    log.warning("quarantined", stream="sem", path="other.tif", cause="empty", reason="no bytes")
    log.warning("alert", stream="sem", phase="opened")
    written = lines(stream)
    assert len(written) == LINES + 2
    assert [line["path"] for line in written[:LINES]] == [f"{number}.tif" for number in range(LINES)]
    assert [line["path"] for line in written if "note" in line] == [f"{LINES - 1}.tif"]
    clock[0] = PERIOD_S
    for number in range(2):
        log.warning("quarantined", stream="sem", path=f"later_{number}.tif", cause="truncated", reason="byte 1")
    first, second = lines(stream)[-2:]
    assert first["not_written_before"] == 10_000 - LINES
    assert "not_written_before" not in second


def test_a_librarys_flood_is_told_by_its_text_before_anything_is_filled_in(clock: list[float]) -> None:
    stream = io.StringIO()
    configure_logging("info", "json", stream=stream)
    for number in range(100):
        logging.getLogger("tifffile").warning("tag %d of %s", number, "a.tif")
    clock[0] = PERIOD_S + 1
    logging.getLogger("tifffile").warning("tag %d of %s", 100, "a.tif")
    written = lines(stream)
    assert len(written) == LINES + 1
    assert written[0]["event"] == "tag 0 of a.tif"
    assert written[LINES - 1]["event"] == f"tag {LINES - 1} of a.tif (note: {flood.MORE})"
    assert written[-1]["event"] == f"tag 100 of a.tif (not_written_before: {100 - LINES})"


def test_what_is_remembered_of_kinds_is_bounded() -> None:
    made = Flood(lambda: 0.0)
    for number in range(3 * KINDS):
        record = logging.LogRecord("x", logging.WARNING, "", 0, {"event": f"message {number}"}, None, None)
        assert made.filter(record)
    assert len(made._kinds) == KINDS


def test_lines_that_come_slowly_are_all_written(clock: list[float]) -> None:
    made = Flood()
    for minute in range(100):
        clock[0] = minute * PERIOD_S / (LINES - 1)
        assert made.filter(logging.LogRecord("x", logging.WARNING, "", 0, {"event": "same"}, None, None))
