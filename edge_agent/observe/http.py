"""GET /metrics, /healthz and /readyz, from inside the agent's own loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hmac
import socket
import ssl
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from edge_agent.config import read_secret
from edge_agent.core.errors import ConfigurationError, EdgeAgentError
from edge_agent.observe.connection import BoundedConnection
from edge_agent.observe.parts import PartState, overall

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from starlette.requests import Request

    from edge_agent.config import HttpSettings
    from edge_agent.observe.metrics import Metrics
    from edge_agent.observe.watchdog import Watchdog

INDEX = """edge-agent
/metrics  Prometheus metrics
/healthz  200 while the loop turns
/readyz   200 while frames are judged, 503 while they are not, with a reason for each part
"""
TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


class AddressTakenError(EdgeAgentError):
    """The address is another program's, or not yet this machine's: exit code 75, for both may pass."""

    exit_code = 75


class _Server(uvicorn.Server):
    """Leaves signals to the agent."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class HealthServer:
    """Serves metrics and health until it is closed.

    Args:
        settings: address, TLS and token.
        metrics: what /metrics shows.
        parts: how each part stands now, by name.
        watchdog: whether the loop turns.
    """

    def __init__(self, settings: HttpSettings, metrics: Metrics, parts: Callable[[], Mapping[str, PartState]], watchdog: Watchdog) -> None:
        self._settings = settings
        self._metrics = metrics
        self._parts = parts
        self._watchdog = watchdog
        self._token = _token(settings)
        self._socket: socket.socket | None = None
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it listens once started, such as http://127.0.0.1:9464."""
        if self._socket is None:
            raise RuntimeError("start the health server first")
        host, port = self._socket.getsockname()[:2]
        scheme = "https" if self._settings.tls_certificate_file else "http"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    async def start(self) -> None:
        """Bind and serve; raise AddressTakenError or ConfigurationError when address or certificate cannot be used."""
        check_http(self._settings)
        config = uvicorn.Config(
            self._application(),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            loop="none",
            http=BoundedConnection,
            limit_concurrency=64,
            timeout_graceful_shutdown=1,
            ssl_certfile=self._settings.tls_certificate_file,
            ssl_keyfile=self._settings.tls_key_file,
        )
        config.load()
        self._socket = bind(self._settings)
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve([self._socket]), name="http")
        while not self._server.started and not self._serving.done():  # noqa: ASYNC110 - uvicorn offers no event to wait for
            await asyncio.sleep(0.005)
        if self._serving.done():
            await self._serving

    async def close(self) -> None:
        """Stop within a second or two, whoever is still connected."""
        if self._server is None or self._serving is None:
            return
        self._server.should_exit = True
        await self._serving
        if self._socket is not None:
            self._socket.close()

    def _application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self._guarded(lambda: PlainTextResponse(INDEX))),
                Route("/metrics", self._guarded(lambda: Response(self._metrics.exposition(), media_type=TEXT_FORMAT))),
                Route("/readyz", self._guarded(self._readiness)),
                Route("/healthz", self._open(self._health)),
            ]
        )

    def _open(self, answer: Callable[[], Response]) -> Callable[[Request], object]:
        async def endpoint(_request: Request) -> Response:
            return answer()

        return endpoint

    def _guarded(self, answer: Callable[[], Response]) -> Callable[[Request], object]:
        async def endpoint(request: Request) -> Response:
            if self._token and not _bears(request, self._token):
                return PlainTextResponse(
                    "401: send the token as Authorization: Bearer TOKEN\n", 401, headers={"WWW-Authenticate": 'Bearer realm="edge-agent"'}
                )
            return answer()

        return endpoint

    def _health(self) -> Response:
        turns = self._watchdog.turns
        return JSONResponse({"alive": turns, "loop_lag_seconds": round(self._watchdog.lag_s, 3)}, 200 if turns else 503)

    def _readiness(self) -> Response:
        parts = self._parts()
        status = overall(parts.values())
        ready = status != "unready"
        told = {name: {"state": part.state, "reason": part.reason} for name, part in parts.items()}
        return JSONResponse({"ready": ready, "status": status, "parts": told}, 200 if ready else 503)


def _bears(request: Request, token: bytes) -> bool:
    scheme, _, offered = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(offered.strip().encode(), token)


def _token(settings: HttpSettings) -> bytes:
    """The token, b"" for none; its file wins."""
    if settings.token_file is not None:
        return read_secret("[http] token_file", settings.token_file).encode()
    return settings.token.get_secret_value().encode() if settings.token else b""


def check_http(settings: HttpSettings) -> None:
    """Raise ConfigurationError for a token, certificate or key that cannot be used; nothing asks for the passphrase of an encrypted key."""
    _token(settings)
    if settings.tls_certificate_file is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_certificate_file, settings.tls_key_file, password=lambda: "")
    except OSError as error:  # an SSLError is one
        raise ConfigurationError(
            f"[http] tls_certificate_file = {settings.tls_certificate_file}, tls_key_file = {settings.tls_key_file}",
            f"certificate or key cannot be used ({error.strerror or error})",
            "name a PEM certificate and its unencrypted PEM key, both readable by the agent",
        ) from None


def bind(settings: HttpSettings) -> socket.socket:
    """A socket that listens at the configured address; raises AddressTakenError or ConfigurationError."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=64)
    except OSError as error:
        passing = error.errno in {errno.EADDRINUSE, errno.EADDRNOTAVAIL}
        kind = AddressTakenError if passing else ConfigurationError
        raise kind(
            f"[http] listen = {settings.listen}",
            f"the address cannot be used ({error.strerror or error})",
            "stop the program that uses it, or choose another port"
            if passing
            else "choose an address of this machine and a port that the agent may open",
        ) from None
