"""An authorization server's token endpoint over TLS (RFC 6749, section 4.4), with one client."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, unquote_plus

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.peers.certificates import Issued


class TokenEndpoint:
    """Answers the right client with a token of `make`, any other with 401.

    Args:
        issued: its certificate.
        client_id, secret: of the one client.
        make: a token for a scope.
    """

    def __init__(self, issued: Issued, client_id: str, secret: str, make: Callable[[str], str]) -> None:
        self.scopes: list[str] = []
        self.answer: tuple[int, dict[str, str], bytes] | None = None
        """What is answered instead, whoever asks."""
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                scheme, _, pair = self.headers.get("Authorization", "").partition(" ")
                who = tuple(map(unquote_plus, base64.b64decode(pair).decode().partition(":")[::2]))
                if endpoint.answer is not None:
                    self._say(*endpoint.answer)
                elif (scheme, who, form.get("grant_type")) != ("Basic", (client_id, secret), ["client_credentials"]):
                    self._say(401, {}, b'{"error": "invalid_client"}')
                else:
                    endpoint.scopes += form.get("scope", [""])
                    body = {"access_token": make(endpoint.scopes[-1]), "token_type": "bearer", "expires_in": 3600}
                    self._say(200, {}, json.dumps(body).encode())

            def _say(self, code: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(code)
                for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.certificate, issued.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign] # a client that does not trust us hangs up

    @property
    def url(self) -> str:
        return f"https://localhost:{self._server.server_address[1]}/token"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
