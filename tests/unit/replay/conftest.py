"""One past for all tests of this folder; none of them writes to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.past_of import work_off, write_past

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.config import Settings


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Settings:
    """The configuration of a stream whose journal holds 64 frames and the alarms of two noisy samples."""
    settings = write_past(tmp_path_factory.mktemp("past"), models)
    work_off(settings)
    return settings
