"""A file's name stands in the log as it is, but for what a terminal would obey."""

import io
import json
from typing import Literal

import pytest
import structlog

from edge_agent.observe.logging import configure_logging


@pytest.fixture
def restored():
    yield
    configure_logging()


NAMES = ("\x1b]0;owned\x07.tif", "\x1b[2J.tif", "a\rb.tif", "new\nline.tif", "\u202egnp.tif", "\x9b2J", "\x00", "\udcff")


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_cannot_command_a_terminal_or_forge_a_line(form: Literal["console", "json"], name: str, restored: None) -> None:
    written = io.StringIO()
    configure_logging("info", form, stream=written)
    structlog.get_logger("test").warning("quarantined", path=name, reason="größe 試料 5 kV")
    line = written.getvalue()
    assert line.count("\n") == 1
    assert not set(line[:-1]) & set("\x1b\x07\r\x9b\x00\u202e")
    assert "größe 試料 5 kV" in line
    if form == "json":
        assert json.loads(line)["event"] == "quarantined"
