"""Who is told of alerts only has a cursor of its own, which holds nobody up and survives a restart."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import pytest

from edge_agent.core.clock import SystemClock
from edge_agent.core.errors import JournalFullError
from edge_agent.core.event import Event
from edge_agent.journal import AlertOutbox, Journal, alerts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def event(number: int, kind: str) -> Event:
    data = json.dumps({"episode": f"e{number}"}).encode()
    return Event(f"id{number}", kind, "/a", "sem", "2026-01-01T00:00:00Z", "edge.alerts", "a/sem", data)


OPENED, FRAME = "edge.alert.opened.v1", "edge.frame.scored.v1"


@contextlib.asynccontextmanager
async def journal(folder: Path) -> AsyncIterator[Journal]:
    made = await Journal.open(folder / "state", clock=SystemClock())
    try:
        yield made
    finally:
        await made.close()


async def opened(made: Journal, folder: Path) -> AlertOutbox:
    return await AlertOutbox.open(made, folder / "alerts", "webhook")


async def told(outbox: AlertOutbox) -> list[str]:
    return [row.event.id for row in await outbox.unsent(10)]


async def test_only_alerts_are_told_and_none_from_before(tmp_path: Path) -> None:
    async with journal(tmp_path) as made:
        await made.append([event(0, OPENED)])
        outbox = await opened(made, tmp_path)
        assert await told(outbox) == []
        await made.append([event(1, FRAME), event(2, OPENED), event(3, FRAME), event(4, OPENED)])
        assert await told(outbox) == ["id2", "id4"]
        await outbox.mark_published(3)
        assert await told(outbox) == ["id4"]
        await outbox.mark_published(2)
        assert await told(outbox) == ["id4"], "a cursor never goes back"


async def test_another_sinks_cursor_does_not_matter(tmp_path: Path) -> None:
    async with journal(tmp_path) as made:
        outbox = await opened(made, tmp_path)
        await made.append([event(1, OPENED)])
        await made.mark_published(1)
        assert await told(outbox) == ["id1"]
        await outbox.mark_published(1)
        await made.append([event(2, OPENED)])
        assert [row.seq for row in await made.unsent(10)] == [2]


async def test_a_restart_goes_on_where_it_stood(tmp_path: Path) -> None:
    async with journal(tmp_path) as made:
        outbox = await opened(made, tmp_path)
        await made.append([event(1, OPENED), event(2, OPENED)])
        await outbox.mark_published(1)
    async with journal(tmp_path) as made:
        assert await told(await opened(made, tmp_path)) == ["id2"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"seq": 1}', b'{"journal_id": "another", "seq": 0}', b"[1]", b'{"journal_id": null, "seq": "x"}']
)
async def test_a_cursor_that_is_none_of_this_journals_begins_at_the_end(tmp_path: Path, content: bytes) -> None:
    async with journal(tmp_path) as made:
        await made.append([event(1, OPENED)])
        (tmp_path / "alerts").mkdir()
        (tmp_path / "alerts" / "webhook.json").write_bytes(content)
        outbox = await opened(made, tmp_path)
        await made.append([event(2, OPENED)])
        assert await told(outbox) == ["id2"]


async def test_a_cursor_ahead_of_a_restored_journal_does_not_swallow_what_comes(tmp_path: Path) -> None:
    async with journal(tmp_path) as made:
        (tmp_path / "alerts").mkdir()
        (tmp_path / "alerts" / "webhook.json").write_text(json.dumps({"journal_id": made.journal_id, "seq": 900}))
        outbox = await opened(made, tmp_path)
        await made.append([event(1, OPENED)])
        assert await told(outbox) == ["id1"]


async def test_who_is_told_no_more_and_then_again_hears_nothing_old(tmp_path: Path) -> None:
    async with journal(tmp_path) as made:
        await opened(made, tmp_path)
        AlertOutbox.forget(tmp_path / "alerts", "webhook")
        await made.append([event(1, OPENED)])
        assert await told(await opened(made, tmp_path)) == []


async def test_many_other_events_move_the_cursor_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "FAR", 3)
    async with journal(tmp_path) as made:
        outbox = await opened(made, tmp_path)
        await made.append([event(number, FRAME) for number in range(5)])
        assert await told(outbox) == []
        assert json.loads((tmp_path / "alerts" / "webhook.json").read_text())["seq"] == 5
        await made.append([event(9, OPENED)])
        assert await told(outbox) == ["id9"]


async def test_a_cursor_that_cannot_be_written_is_said_and_tried_again(tmp_path: Path) -> None:
    async with journal(tmp_path) as made:
        outbox = await opened(made, tmp_path)
        await made.append([event(1, OPENED)])
        (tmp_path / "alerts" / "webhook.json.part").mkdir()
        with pytest.raises(JournalFullError, match="cannot be written"):
            await outbox.mark_published(1)
        with pytest.raises(JournalFullError, match="cannot be written"):
            await told(outbox)
        assert await told(await opened(made, tmp_path)) == ["id1"], "a restart tells it again: at least once"
        (tmp_path / "alerts" / "webhook.json.part").rmdir()
        assert await told(outbox) == [], "but this run does not"
        assert await told(await opened(made, tmp_path)) == []
