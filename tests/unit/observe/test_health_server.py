"""The health server: who may read what, what it says, and how it refuses to start."""

from __future__ import annotations

import asyncio
import errno
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from edge_agent.config import HttpSettings
from edge_agent.core.clock import SystemClock
from edge_agent.core.errors import ConfigurationError, EdgeAgentError
from edge_agent.observe import AddressTakenError, HealthServer, Metrics, PartState, Watchdog, connection
from tests.conftest import absent

if TYPE_CHECKING:
    from pathlib import Path

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def parts() -> dict[str, PartState]:
    return {"stream sem": PartState("ok"), "publish": PartState("ok")}


@pytest.fixture
def serve(parts: dict[str, PartState]) -> Serve:
    @asynccontextmanager
    async def start(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        watchdog = Watchdog(SystemClock(), {})
        pulse = asyncio.create_task(watchdog.run())
        server = HealthServer(
            HttpSettings(**({"listen": "127.0.0.1:0"} | settings)), Metrics(["sem"], "jsonl", "1.2.3"), lambda: parts, watchdog
        )
        await server.start()
        verify = str(settings["tls_certificate_file"]) if "tls_certificate_file" in settings else True
        try:
            async with httpx.AsyncClient(base_url=server.url, verify=_trusting(verify), trust_env=False) as client:
                yield client
        finally:
            await server.close()
            pulse.cancel()

    return start


def _trusting(certificate: str | bool) -> Any:
    import ssl

    return ssl.create_default_context(cafile=certificate) if isinstance(certificate, str) else True


async def test_metrics_are_in_prometheus_text_format(serve: Serve):
    async with serve() as client:
        answer = await client.get("/metrics")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'edge_agent_build_info{version="1.2.3"} 1.0' in answer.text
    assert "process_cpu_seconds_total" in answer.text


async def test_healthz_says_that_the_loop_turns(serve: Serve):
    async with serve() as client:
        answer = await client.get("/healthz")

    assert answer.status_code == 200
    assert answer.json()["alive"] is True


@pytest.mark.parametrize(("broker", "status", "code"), [("ok", "ok", 200), ("degraded", "degraded", 200), ("unready", "unready", 503)])
async def test_readyz_is_as_bad_as_the_worst_part(serve: Serve, parts: dict[str, PartState], broker: Any, status: str, code: int):
    parts["publish"] = PartState(broker, "no broker answers; 12 events wait")
    async with serve() as client:
        answer = await client.get("/readyz")

    assert answer.status_code == code
    assert answer.json() == {
        "ready": code == 200,
        "status": status,
        "parts": {"stream sem": {"state": "ok", "reason": ""}, "publish": {"state": broker, "reason": "no broker answers; 12 events wait"}},
    }


async def test_the_index_names_every_endpoint(serve: Serve):
    async with serve() as client:
        text = (await client.get("/")).text

    assert all(endpoint in text for endpoint in ("/metrics", "/healthz", "/readyz"))


async def test_other_paths_and_methods_are_refused(serve: Serve):
    async with serve() as client:
        assert (await client.get("/status")).status_code == 404
        assert (await client.post("/metrics")).status_code == 405


@pytest.mark.parametrize("endpoint", ["/", "/metrics", "/readyz"])
@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic open-sesame"}, 401),
        ({"Authorization": "Bearer open-sesame"}, 200),
    ],
)
async def test_a_token_guards_everything_but_healthz(serve: Serve, tmp_path: Path, endpoint: str, header: dict[str, str], code: int):
    token_file = tmp_path / "token"
    token_file.write_text("open-sesame\n")
    async with serve(token_file=token_file) as client:
        assert (await client.get(endpoint, headers=header)).status_code == code
        assert (await client.get("/healthz")).status_code == 200


async def test_a_token_may_stand_in_the_settings(serve: Serve):
    async with serve(token="open-sesame") as client:
        assert (await client.get("/metrics")).status_code == 401
        assert (await client.get("/metrics", headers={"Authorization": "bearer open-sesame"})).status_code == 200


async def test_https_is_served_with_a_certificate(serve: Serve, tmp_path: Path):
    async with serve(**_encrypted(tmp_path)) as client:
        assert str(client.base_url).startswith("https://")
        assert (await client.get("/healthz")).status_code == 200


def _encrypted(folder: Path) -> dict[str, Path]:
    """Settings by which HTTPS is served, with a certificate of its own."""
    if shutil.which("openssl") is None:
        absent("openssl", "it makes the test's certificate")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=edge-agent"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return {"tls_certificate_file": certificate, "tls_key_file": key}


def server(**settings: Any) -> HealthServer:
    return HealthServer(HttpSettings(**settings), Metrics([], "jsonl", "1"), dict, Watchdog(SystemClock(), {}))


async def test_a_port_in_use_may_be_free_again_later():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(AddressTakenError, match=rf"listen = {listen}: the address cannot be used .*; .*another port") as caught:
            await server(listen=listen).start()
        assert caught.value.exit_code == 75


@pytest.mark.parametrize(
    ("failure", "kind", "code"),
    [
        (OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"), AddressTakenError, 75),
        (OSError(errno.EACCES, "Permission denied"), ConfigurationError, 78),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), ConfigurationError, 78),
    ],
)
async def test_only_what_may_pass_by_itself_is_worth_another_try(
    monkeypatch: pytest.MonkeyPatch, failure: OSError, kind: type[EdgeAgentError], code: int
):
    def create_server(*_arguments: Any, **_options: Any) -> socket.socket:
        raise failure

    monkeypatch.setattr(socket, "create_server", create_server)
    with pytest.raises(kind, match="the address cannot be used") as caught:
        await server(listen="127.0.0.1:9464").start()
    assert caught.value.exit_code == code


async def test_a_certificate_that_is_none_is_a_configuration_error(tmp_path: Path):
    rubbish = tmp_path / "cert.pem"
    rubbish.write_text("rubbish")
    with pytest.raises(ConfigurationError, match="certificate or key cannot be used"):
        await server(listen="127.0.0.1:0", tls_certificate_file=rubbish, tls_key_file=rubbish).start()


@pytest.mark.parametrize(("content", "complaint"), [(None, "it cannot be read"), (b"\n", "it is empty"), (b"\xff\xfe", "not UTF-8")])
def test_a_token_file_without_a_token_is_a_configuration_error(tmp_path: Path, content: bytes | None, complaint: str):
    token_file = tmp_path / "token"
    if content is not None:
        token_file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=complaint):
        server(listen="127.0.0.1:0", token_file=token_file)


async def test_closing_does_not_wait_for_a_client_that_lingers():
    health = server(listen="127.0.0.1:0")
    await health.start()
    host, port = health.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /metrics HTTP/1.1\r\n")
    await writer.drain()
    async with asyncio.timeout(5):
        await health.close()
    writer.close()
    with pytest.raises(OSError):
        await asyncio.open_connection(host, int(port))


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /healthz HTTP/1.1\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 500,
    ],
    ids=["nothing", "half a request", "half a body", "half a second request", "requests whose answers it does not fetch"],
)
@pytest.mark.parametrize("encrypted", [False, True])
async def test_clients_that_ask_for_nothing_take_the_health_away_for_a_while_only(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes, encrypted: bool
):
    monkeypatch.setattr(connection, "EXCHANGE_S", 0.5)
    settings = _encrypted(tmp_path) if encrypted else {}
    async with serve(**settings) as client, asyncio.timeout(20):
        held = await asyncio.gather(*(_hold(client.base_url, sent, settings.get("tls_certificate_file")) for _ in range(64)))
        while (await client.get("/healthz")).status_code != 200:  # noqa: ASYNC110 - the server tells nobody when it has room again
            await asyncio.sleep(0.05)
        for writer in held:
            writer.transport.abort()


async def test_tls_connections_without_a_handshake_take_nothing_away(serve: Serve, tmp_path: Path):
    async with serve(**_encrypted(tmp_path)) as client:
        held = [await _hold(client.base_url, b"", None) for _ in range(64)]
        assert (await client.get("/healthz")).status_code == 200
        for writer in held:
            writer.transport.abort()


async def test_a_client_may_ask_again_and_again_on_one_connection(serve: Serve, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "EXCHANGE_S", 0.3)
    async with serve() as client:
        addresses = set()
        for _ in range(8):
            answer = await client.get("/healthz")
            addresses.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
            await asyncio.sleep(0.1)
        assert len(addresses) == 1


async def _hold(url: httpx.URL, sent: bytes, certificate: Path | None) -> asyncio.StreamWriter:
    encryption = None if certificate is None else _trusting(str(certificate))
    _, writer = await asyncio.open_connection(url.host, url.port, ssl=encryption)
    writer.transport.pause_reading()
    writer.write(sent)
    return writer


async def test_signals_stay_the_agents_own():
    import signal

    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    health = server(listen="127.0.0.1:0")
    await health.start()
    during = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    await health.close()

    assert during == before
