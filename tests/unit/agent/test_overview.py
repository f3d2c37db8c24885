"""What the agent answers when it is asked how it stands, and what others answer in its place."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from edge_agent.agent.overview import readiness
from edge_agent.agent.presence import Card, Present
from edge_agent.config import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.agent.presence import Readiness

BUSY = "it answers 503 (Service Unavailable); it may have more callers than it serves at once, ask again"


def asked(tmp_path: Path, status: int, body: bytes) -> Readiness:
    """What is made of this answer to /readyz."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    path = tmp_path / "edge-agent.toml"
    path.write_text('[[stream]]\nname = "sem"\npath = "images"\nmodel.name = "tiny"\n')
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        card = Card(pid=1, version="1", since_ns=0, url=f"http://127.0.0.1:{server.server_port}")
        told = readiness(load_settings(path, {}), Present(1, "", None, card))
        thread.join()
    return told


@pytest.mark.parametrize("status", [200, 503])
def test_the_agents_own_word_is_taken(tmp_path: Path, status: int) -> None:
    parts = {"watch sem": {"state": "unready", "reason": "waiting for folder"}}
    told = asked(tmp_path, status, json.dumps({"status": "unready", "parts": parts}).encode())
    assert (told.status, told.parts, told.why) == ("unready", parts, "")


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (503, b"Service Unavailable", BUSY),
        (200, b"<html>\n  hello", "it answers 200 (<html> hello)"),
        (200, b"[]", "it answers 200 ([])"),
        (200, b'{"state": 1}', 'it answers 200 ({"state": 1})'),
        (401, b"", "it answers 401: the token has changed since it started"),
        (404, b"", "it answers 404"),
    ],
)
def test_any_other_answer_is_told_in_words(tmp_path: Path, status: int, body: bytes, why: str) -> None:
    told = asked(tmp_path, status, body)
    assert (told.status, told.why) == ("", why)
