"""Which addresses a secret may be sent to."""

from __future__ import annotations

from urllib.parse import urlsplit

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""Hosts that are this machine."""


def is_https_or_local(address: str) -> bool:
    """Whether nobody between here and there can read along: https, or http on this machine; and no name or password stands in it.

    >>> [is_https_or_local(address) for address in ("https://a.org/x", "http://[::1]:80/", "http://a.org/", "file:///etc/passwd", "https:")]
    [True, True, False, False, False]
    """
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return False
    return (
        bool(host)
        and parts.username is None
        and parts.password is None
        and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK))
    )
