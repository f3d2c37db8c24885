"""status says what it does not show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_agent.agent import Overview
from edge_agent.cli import status
from edge_agent.journal import JournalStatus, Quarantined, StreamStatus
from edge_agent.journal.operation import Standing

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("shown", "in_all", "told"),
    [
        (3, 14, "11 more files could not be used: edge-agent status --quarantined 14 lists all."),
        (3, 4, "1 more file could not be used: edge-agent status --quarantined 4 lists all."),
        (0, 2, "2 files could not be used: edge-agent status --quarantined 2 lists all."),
        (3, 3, ""),
    ],
)
def test_quarantined_files_that_are_not_shown_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], shown: int, in_all: int, told: str
) -> None:
    streams = tuple(
        StreamStatus(name, 9, 0, outcomes, 0, {}, None, Standing(name))
        for name, outcomes in (("sem", {"quarantined": in_all - 1, "scored": 8}), ("xrd", {"quarantined": 1}), ("new", {}))
    )
    files = tuple(Quarantined("sem", f"{number}.tif", "empty", "", 1) for number in range(shown))
    status._show(Overview(None, None, JournalStatus("j", streams, (), 0, None, 1), 0, (), files, (), ()), tmp_path)
    said = capsys.readouterr().out
    assert told in said
    assert ("could not be used: edge-agent" in said) == bool(told)
