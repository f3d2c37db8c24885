"""Files whose writers let others read them are handed over while they grow; nobody waits for a rest that never comes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from edge_agent.core.frame import SettleOutcome
from edge_agent.watch import FoundFile
from edge_agent.watch.following import Following
from tests.watched import Ledger, running, until, watcher

if TYPE_CHECKING:
    from pathlib import Path

OPEN = b"open"


def said(path: Path) -> str:
    return "following" if path.read_bytes().startswith(OPEN) else "complete"


@pytest.mark.parametrize("observer", ["native", "polling"])
async def test_a_file_written_without_a_rest_is_handed_over_again_and_again_and_once_more_when_it_is_closed(
    tmp_path: Path, observer: str
) -> None:
    ledger = Ledger()
    path = tmp_path / "a.nxs"
    async with running(watcher(tmp_path, ledger, is_complete=said, observer=observer, include=("*.nxs",), settle_s=0.3)):
        with path.open("wb", buffering=0) as file:
            file.write(OPEN)
            while len(ledger.settled) < 3:
                file.write(b"x")
                await asyncio.sleep(0.02)
        path.write_bytes(b"shut" + path.read_bytes())
        size = path.stat().st_size
        await ledger.until(lambda: ledger.settled[-1].file.size == size)
    sizes = [settled.file.size for settled in ledger.settled]
    assert sizes == sorted(set(sizes))
    assert {settled.outcome for settled in ledger.settled} == {SettleOutcome.COMPLETE}


async def test_a_file_that_was_left_open_is_said_to_be_so_once(tmp_path: Path) -> None:
    ledger = Ledger()
    (tmp_path / "a.nxs").write_bytes(OPEN)
    with capture_logs() as told:
        async with running(watcher(tmp_path, ledger, is_complete=said, include=("*.nxs",), start="beginning", settle_timeout_s=0.5)):
            await ledger.until(lambda: ledger.paths)
            await until(lambda: any("added nothing" in line["event"] for line in told))
            await asyncio.sleep(1.2)
    assert [line["path"] for line in told if "added nothing" in line["event"]] == ["a.nxs"]
    assert ledger.paths == ["a.nxs"]


async def test_a_drain_takes_what_an_open_file_holds(tmp_path: Path) -> None:
    ledger = Ledger()
    (tmp_path / "a.nxs").write_bytes(OPEN)
    await asyncio.wait_for(watcher(tmp_path, ledger, is_complete=said, include=("*.nxs",), start="beginning").drain(), 10)
    assert ledger.paths == ["a.nxs"]


def test_only_a_new_state_begins_the_wait_anew() -> None:
    following = Following()
    following.note(FoundFile("a", 1, 1), 0.0)
    following.note(FoundFile("b", 1, 1), 0.0)
    following.note(FoundFile("a", 1, 1), 5.0)
    following.note(FoundFile("b", 2, 2), 5.0)
    assert following.left_open(4.0) == ["a"]
    assert following.left_open(4.0) == []
    following.drop("b")
    assert following.left_open(9.0) == []
