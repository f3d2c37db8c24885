"""Alerts by HTTP: one POST an event, a CloudEvent in structured mode."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from edge_agent import __version__
from edge_agent.core.address import is_https_or_local
from edge_agent.core.errors import ConfigurationError, SinkUnavailableError
from edge_agent.core.own_thread import OwnThread
from edge_agent.publish.cloudevent import structured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.core.event import OutboxRow

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET without its alert, and be answered with 200."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none: the answer is then an error with its own status."""


class WebhookSink:
    """An EventSink that any answer of 200 to 299 acknowledges; redirects are not followed.

    Args:
        address: the http or https URL; only its scheme and host are ever shown.
        timeout_s: how long one event may take.
    """

    name = "webhook"

    def __init__(self, address: str, timeout_s: float) -> None:
        self._where = shown_address(address)
        self._address = address
        self._timeout_s = timeout_s
        self._opener = urllib.request.build_opener(_NoRedirects())
        self._thread = OwnThread("webhook")
        self._journal_id = ""

    async def recover(self, journal_id: str, _last_seq: int) -> int:
        """A receiver keeps no cursor: what was acknowledged stands in the outbox."""
        self._journal_id = journal_id
        return 0

    async def publish(self, rows: Sequence[OutboxRow]) -> None:
        """Post `rows` one by one; after SinkUnavailableError the first of them may have arrived."""
        for row in rows:
            try:  # a peer that sends its answer byte by byte would satisfy every timeout of the socket
                await self._thread.call(partial(self._post, structured(row, self._journal_id)), 2 * self._timeout_s)
            except TimeoutError:
                self._thread.end()
                self._thread = OwnThread("webhook")
                raise self._unavailable(f"has not answered for {2 * self._timeout_s:g} s") from None

    async def check(self) -> None:
        """A receiver is asked by nothing but an alert."""

    async def close(self) -> None:
        """Let the thread end; a request under way is not waited for."""
        self._thread.end()

    def _post(self, body: bytes) -> None:
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            self._address, body, {"Content-Type": CONTENT_TYPE, "User-Agent": f"edge-agent/{__version__}"}, method="POST"
        )
        try:
            with self._opener.open(request, timeout=self._timeout_s):
                return
        except urllib.error.HTTPError as error:  # `from None` throughout: a traceback would show the address
            error.close()
            raise self._unavailable(f"answered {error.code} {http.client.responses.get(error.code, '')}".rstrip()) from None
        except urllib.error.URLError as error:
            raise self._unavailable(f"cannot be reached ({_reason(error.reason)})") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._unavailable(f"broke off ({_reason(error)})") from None

    def _unavailable(self, reason: str) -> SinkUnavailableError:
        return SinkUnavailableError(
            f"the webhook at {self._where}", reason, "mend the receiver or correct [alert] webhook; alerts wait in the journal"
        )


def shown_address(address: str) -> str:
    """Scheme and host of a webhook's address, which is all that may be shown of it; raises ConfigurationError, without the address.

    >>> shown_address("https://hooks.example.org:8443/services/T0/secret?key=more")
    'https://hooks.example.org:8443'
    """
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise _no_address("it is no URL") from None
    if parts.scheme not in {"http", "https"}:
        raise _no_address("it begins neither with https:// nor with http://")
    if not parts.hostname:
        raise _no_address("it names no host")
    if parts.username is not None or parts.password is not None:
        raise _no_address("it holds a user's name or password, which would not be sent")
    if not is_https_or_local(address):
        raise _no_address("it is http to another machine, where anybody on the way could read it")
    if not address.isascii() or any(character.isspace() or not character.isprintable() for character in address):
        raise _no_address("it holds white space or characters that a URL has to escape")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")


def _no_address(reason: str) -> ConfigurationError:
    return ConfigurationError("[alert] webhook", reason, "give the whole address, such as https://hooks.example.org/services/...")


def _reason(error: Any) -> str:
    """What the system says of a failure; a library's own sentence may hold the address."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else ""
    return str(text or ("timed out" if isinstance(error, TimeoutError) else type(error).__name__))
