"""A journal that is open for the length of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_agent.core.clock import SystemClock
from edge_agent.journal import Journal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = await Journal.open(tmp_path / "state", clock=SystemClock())
    yield journal
    await journal.close()
