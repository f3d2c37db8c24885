"""A real HTTP receiver of alerts, which answers as a test wants."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class WebhookReceiver:
    """Listens on a port of the loopback; answers 204 unless `answers` holds something else to do, first come first served.

    An answer is a status, a (status, location) of a redirect, or "hang", "drip" and "break".
    """

    def __init__(self, port: int = 0) -> None:
        self.answers: list[Any] = []
        self.always: Any = 204
        self.got: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = receiver.answers.pop(0) if receiver.answers else receiver.always
                if answer == "break":
                    self.connection.close()
                    return
                if answer == "hang":
                    receiver.ended.wait(30)
                    return
                if answer == "drip":
                    self.wfile.write(b"HTTP/1.1 ")
                    while not receiver.ended.wait(0.05):
                        self.wfile.write(b" ")
                    return
                status, location = answer if isinstance(answer, tuple) else (answer, "")
                if 200 <= status < 300:
                    receiver.got.append((self.path, dict(self.headers), json.loads(body)))
                self.send_response(status)
                if location:
                    self.send_header("Location", location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                receiver.got.append((self.path, dict(self.headers), {}))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a peer that broke off is what a test wants
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/T0KEN-{'x' * 20}?key=s3cret"

    def types(self) -> list[str]:
        return [event["type"].split(".")[2] for _, _, event in self.got]

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + 30
        while len(self.got) < count:
            assert time.monotonic() < deadline, f"{len(self.got)} of {count} alerts came"
            time.sleep(0.02)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
