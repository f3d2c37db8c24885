"""Secrets in files of their own are read once, and known to the log."""

from __future__ import annotations

import io
import logging
import os
import sys
from typing import TYPE_CHECKING

import pytest

from edge_agent.config import load_settings, read_secret, with_secrets
from edge_agent.core.errors import ConfigurationError
from edge_agent.observe import configure_logging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIGURATION = """
[[stream]]
name = "sem"
path = "images"
model.name = "sem-real"
[alert]
webhook_file = "webhook"
[http]
token_file = "token"
[kafka]
bootstrap_servers = "broker:9093"
security_protocol = "SASL_PLAINTEXT"
sasl_mechanism = "PLAIN"
sasl_username = "pc7"
sasl_password_file = "password"
"""


@pytest.fixture
def _log_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(capture=False)


@pytest.mark.usefixtures("_log_as_before")
def test_what_is_in_a_secret_file_never_reaches_the_log(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes("\ufeffopen-sesame\r\n".encode())
    (tmp_path / "password").write_text("hunter2\n")
    (tmp_path / "webhook").write_text("https://hooks.example.org/T0K\n")
    (tmp_path / "edge-agent.toml").write_text(CONFIGURATION)
    settings = with_secrets(load_settings(tmp_path / "edge-agent.toml", {}))
    assert set(settings.secrets) == {"open-sesame", "hunter2", "https://hooks.example.org/T0K"}
    assert settings.http.token_file is None
    assert "hunter2" not in settings.model_dump_json()
    assert "T0K" not in settings.model_dump_json()
    lines = io.StringIO()
    configure_logging(secrets=settings.secrets, stream=lines)
    logging.getLogger("other").error("refused: hunter2 with open-sesame")
    assert "refused" in lines.getvalue()
    assert "hunter2" not in lines.getvalue()
    assert "open-sesame" not in lines.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "it cannot be read"),
        (b" \n", "it is empty"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * 5000, "longer than"),
    ],
)
def test_a_secret_file_that_holds_no_secret_is_told_in_one_line(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=said) as caught:
        read_secret("[http] token_file", path)
    assert str(caught.value).startswith(f"[http] token_file = {path}: ")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes in folders")
def test_a_pipe_is_no_secret_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    os.mkfifo(path)  # whoever opens it waits for ever
    with pytest.raises(ConfigurationError, match="it is no ordinary file"):
        read_secret("[http] token_file", path)
