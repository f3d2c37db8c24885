"""Asks an agent on this machine what its address serves, as Prometheus would."""

from __future__ import annotations

import http.client
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S = 2.0
ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - addresses that are bound to, not asked
LONGEST_BYTES = 16 << 20


def get(url: str, path: str, token: str = "", certificate: Path | None = None) -> tuple[int, bytes]:
    """Status and body of `path` at an agent's address; raises OSError or HTTPException where nothing answers in time.

    Over TLS nobody is believed but who holds the key of `certificate`, whatever name it was made out to.
    """
    address = urlsplit(url)
    host = ANY.get(address.hostname or "", address.hostname or "")
    connection: http.client.HTTPConnection
    if address.scheme == "https":
        context = ssl.create_default_context(cafile=None if certificate is None else str(certificate))
        context.check_hostname = False
        context.verify_flags = (context.verify_flags & ~ssl.VERIFY_X509_STRICT) | ssl.VERIFY_X509_PARTIAL_CHAIN
        connection = http.client.HTTPSConnection(host, address.port, timeout=PATIENCE_S, context=context)
    else:
        connection = http.client.HTTPConnection(host, address.port, timeout=PATIENCE_S)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        return answer.status, answer.read(LONGEST_BYTES)
    finally:
        connection.close()
