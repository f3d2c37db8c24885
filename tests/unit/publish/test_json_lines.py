"""The JSON Lines log has each event once, whatever a crash left of its last line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from edge_agent.core.errors import JournalError, SinkUnavailableError
from edge_agent.core.event import Event, OutboxRow
from edge_agent.publish import JsonLinesSink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DAY = "2026-01-01"


def rows(first: int, last: int, day: str = DAY) -> list[OutboxRow]:
    def event(n: int) -> Event:
        time = f"{day}T00:00:00Z"
        return Event(f"id{n}", "edge.agent.heartbeat.v1", "/edge-agent/a", "sem", time, "edge.agents", "a/sem", b'{"n":%d}' % n)

    return [OutboxRow(n, event(n)) for n in range(first, last + 1)]


def numbers(directory: Path) -> list[int]:
    lines = [line for path in sorted(directory.glob("*.jsonl")) for line in path.read_text(encoding="utf-8").splitlines()]
    return [json.loads(line)["data"]["n"] for line in lines]


@pytest.fixture
async def sink(tmp_path: Path) -> AsyncIterator[JsonLinesSink]:
    sink = JsonLinesSink(tmp_path / "events")
    yield sink
    await sink.close()


async def test_each_line_is_a_structured_cloudevent(sink: JsonLinesSink, tmp_path: Path) -> None:
    assert await sink.recover("j", 0) == 0
    await sink.publish(rows(1, 2))
    line = (tmp_path / "events" / f"{DAY}.jsonl").read_text().splitlines()[0]
    assert json.loads(line) == {
        "specversion": "1.0",
        "id": "id1",
        "source": "/edge-agent/a",
        "type": "edge.agent.heartbeat.v1",
        "time": f"{DAY}T00:00:00Z",
        "subject": "sem",
        "datacontenttype": "application/json",
        "partitionkey": "a/sem",
        "journalid": "j",
        "sequence": f"{1:020d}",
        "data": {"n": 1},
    }


async def test_a_line_torn_at_any_byte_is_cut_and_written_again(tmp_path: Path) -> None:
    sink = JsonLinesSink(tmp_path / "events")
    await sink.recover("j", 3)
    await sink.publish(rows(1, 3))
    path = tmp_path / "events" / f"{DAY}.jsonl"
    whole = path.read_bytes()
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        written = await sink.recover("j", 3)
        assert written == whole[:size].count(b"\n")
        if written < 3:
            await sink.publish(rows(written + 1, 3))
        assert path.read_bytes() == whole
    await sink.close()


@pytest.mark.parametrize("rubbish", [b"\0" * 5000, b"\0\0\n", b"{}\n{}\n", b"[1]\n", b'"x"\n', b"x" * 3_000_000])
async def test_what_a_power_cut_left_behind_is_cut(sink: JsonLinesSink, tmp_path: Path, rubbish: bytes) -> None:
    await sink.recover("j", 2)
    await sink.publish(rows(1, 2))
    path = tmp_path / "events" / f"{DAY}.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + rubbish)
    assert await sink.recover("j", 2) == 2
    assert path.read_bytes() == whole


async def test_a_new_day_begins_a_new_file_and_recovery_looks_into_the_last(sink: JsonLinesSink, tmp_path: Path) -> None:
    await sink.recover("j", 9)
    await sink.publish(rows(1, 2))
    await sink.publish(rows(3, 3, "2026-01-02"))
    await sink.publish(rows(4, 4))  # a clock that was set back
    assert sorted(path.name for path in (tmp_path / "events").iterdir()) == [f"{DAY}.jsonl", "2026-01-02.jsonl"]
    assert await sink.recover("j", 9) == 4
    (tmp_path / "events" / "2026-01-02.jsonl").write_bytes(b"torn")
    assert await sink.recover("j", 9) == 2
    await sink.publish(rows(3, 4))
    assert numbers(tmp_path / "events") == [1, 2, 3, 4]


async def test_another_journals_lines_are_not_counted(sink: JsonLinesSink) -> None:
    await sink.recover("old", 5)
    await sink.publish(rows(1, 5))
    assert await sink.recover("new", 0) == 0


async def test_a_log_ahead_of_its_journal_is_refused_with_a_way_out(sink: JsonLinesSink) -> None:
    await sink.recover("j", 5)
    await sink.publish(rows(1, 5))
    with pytest.raises(JournalError, match=r"holds event 5 .* put the newer journal back"):
        await sink.recover("j", 4)


async def test_other_files_are_left_alone(sink: JsonLinesSink, tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    mine = tmp_path / "events" / "notes.jsonl"
    mine.write_text("not an event")
    assert await sink.recover("j", 0) == 0
    assert mine.read_text() == "not an event"


async def test_a_folder_that_cannot_be_used_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "events").write_text("a file stands in the way")
    sink = JsonLinesSink(tmp_path / "events")
    with pytest.raises(SinkUnavailableError, match="events cannot be written"):
        await sink.recover("j", 0)
    (tmp_path / "events").unlink()
    assert await sink.recover("j", 0) == 0
    await sink.close()
    await sink.close()


async def test_a_disk_that_is_full_midway_leaves_whole_lines(sink: JsonLinesSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await sink.recover("j", 4)
    await sink.publish(rows(1, 2))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge_agent.publish.jsonl.os.fsync", full)
    with pytest.raises(SinkUnavailableError, match="No space left"):
        await sink.publish(rows(3, 4))
    monkeypatch.undo()
    assert numbers(tmp_path / "events") == [1, 2]
    assert await sink.recover("j", 4) == 2
    await sink.publish(rows(3, 4))
    assert numbers(tmp_path / "events") == [1, 2, 3, 4]


async def test_days_beyond_the_retention_are_deleted_when_a_new_day_begins(tmp_path: Path) -> None:
    sink = JsonLinesSink(tmp_path, retention_s=2 * 86400)
    (tmp_path / "notes.txt").write_text("not ours")
    await sink.recover("j", 9)
    for number, day in enumerate(("2026-11-01", "2026-11-02", "2026-11-04", "2026-11-05"), 1):
        await sink.publish(rows(number, number, day))
    await sink.close()
    assert {path.name for path in tmp_path.glob("*")} == {"2026-11-04.jsonl", "2026-11-05.jsonl", "notes.txt"}  # noqa: ASYNC240 - a test
