"""The bench's own network: what comes through it, how late, and what does not."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.bench.proxy import FAIR, Proxy, Weather
from tests.peers.kafka import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def echo() -> Iterator[int]:
    """A port that sends back what it gets."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(peer,), daemon=True).start()

    def answer(peer: socket.socket) -> None:
        with peer:
            try:
                while piece := peer.recv(65536):
                    peer.sendall(piece)
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    with Proxy(free_port(), echo, seed=1) as running:
        yield running


def said(peer: socket.socket, content: bytes) -> bytes:
    peer.sendall(content)
    got = b""
    while len(got) < len(content):
        piece = peer.recv(65536)
        if not piece:
            break
        got += piece
    return got


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def test_everything_passes_in_fair_weather_and_late_in_slow(proxy: Proxy) -> None:
    content = bytes(range(256)) * 1000
    with connected(proxy) as peer:
        assert said(peer, content) == content
        proxy.change(Weather(delay_s=0.2))
        began = time.monotonic()
        assert said(peer, b"slow") == b"slow"
        assert time.monotonic() - began >= 0.2, "half of it at least, in each direction"
        proxy.change(Weather(bytes_a_second=20_000))
        began = time.monotonic()
        assert said(peer, content[:4_000]) == content[:4_000]
        assert time.monotonic() - began >= 0.2
        proxy.change(FAIR)
        assert said(peer, content) == content


def test_nothing_passes_while_it_is_stalled_and_nothing_is_lost_by_it(proxy: Proxy) -> None:
    with connected(proxy) as peer:
        assert said(peer, b"before") == b"before"
        proxy.change(Weather(stalled=True))
        peer.sendall(b"during")
        peer.settimeout(0.3)
        with pytest.raises(TimeoutError):
            peer.recv(10)
        proxy.change(FAIR)
        peer.settimeout(5)
        assert peer.recv(10) == b"during"


def test_connections_are_cut_in_mid_stream_and_refused(proxy: Proxy) -> None:
    content = bytes(200_000)
    proxy.change(Weather(cut_after_bytes=10_000))
    with connected(proxy) as peer, contextlib.suppress(OSError):  # it may be reset while it sends
        assert len(said(peer, content)) < len(content)
    proxy.change(Weather(refused=True))
    with pytest.raises(OSError):
        connected(proxy)
    proxy.change(FAIR)
    with connected(proxy) as peer:
        assert said(peer, b"back") == b"back"
