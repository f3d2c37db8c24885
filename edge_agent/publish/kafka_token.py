"""The web token that OAUTHBEARER shows to the broker: from a file that others keep fresh, or from a token endpoint."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kafka.net.sasl.oauth import AbstractTokenProvider

from edge_agent.config import read_secret
from edge_agent.core.errors import ConfigurationError, SinkUnavailableError

if TYPE_CHECKING:
    from pathlib import Path

LONGEST_BYTES = 65_536
"""The longest token, and the longest answer of a token endpoint."""
PATIENCE_S = 5.0
ERRORS = ("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope")
"""What may be repeated of an answer: RFC 6749, section 5.2."""
USED_FRACTION = 0.8
"""Of its lifetime, after which a token is fetched anew."""
UNKNOWN_LIFETIME_S = 60.0
"""For a token whose endpoint does not say how long it lives."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The client's secret goes to the configured address only."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


class FileToken(AbstractTokenProvider):  # type: ignore[misc] # kafka-python has no types
    """A token in a file, read again whenever a connection is made."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def token(self) -> str:
        """The token; raises SinkUnavailableError for a file that holds none now."""
        try:
            return read_secret("[kafka] oauth_token_file", self._path, LONGEST_BYTES)
        except ConfigurationError as error:  # whoever keeps the file fresh may be about to write it
            raise SinkUnavailableError(error.thing, error.reason, error.remedy) from None


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks a token endpoint, and how.

    Attributes:
        url: https, or http on this machine.
        client_id, secret: as the authorization server knows this agent.
        scope: what is asked for; None for the server's default.
        ca_file: certificates that vouch for the endpoint; the system's when None.
    """

    url: str
    client_id: str
    secret: str = field(repr=False)
    scope: str | None = None
    ca_file: Path | None = None


class EndpointToken(AbstractTokenProvider):  # type: ignore[misc] # as above
    """A token by the client credentials grant (RFC 6749, section 4.4), fetched again when four fifths of its life are over."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()  # several connections may be made at once
        self._token = ""
        self._until_s = 0.0

    def token(self) -> str:
        """The token; raises SinkUnavailableError when the endpoint gives none."""
        with self._lock:
            if not self._token or time.monotonic() >= self._until_s:
                asked_s = time.monotonic()
                self._token, lifetime_s = self._fetch()
                self._until_s = asked_s + USED_FRACTION * lifetime_s
            return self._token

    def _fetch(self) -> tuple[str, float]:
        client = self._client
        # Section 2.3.1: both are form-encoded before they are joined
        pair = f"{urllib.parse.quote_plus(client.client_id)}:{urllib.parse.quote_plus(client.secret)}"
        form = {"grant_type": "client_credentials"} | ({"scope": client.scope} if client.scope else {})
        request = urllib.request.Request(  # noqa: S310 - the settings allow https, and http on this machine
            client.url,
            urllib.parse.urlencode(form).encode(),
            {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}", "Accept": "application/json"},
            method="POST",
        )
        try:
            context = ssl.create_default_context(cafile=client.ca_file)
        except OSError as error:
            thing, reason = f"[kafka] oauth_ca_file = {client.ca_file}", f"it cannot be used ({error.strerror or error})"
            raise SinkUnavailableError(thing, reason, "name a PEM file of authorities") from None
        opener = urllib.request.build_opener(_NoRedirects(), urllib.request.HTTPSHandler(context=context))
        try:
            with opener.open(request, timeout=PATIENCE_S) as answer:
                said = answer.read(LONGEST_BYTES)
        except urllib.error.HTTPError as error:  # `from None` throughout: a traceback would show the request
            raise self._unavailable(f"answered {error.code}{_error_of(error)}") from None
        except urllib.error.URLError as error:
            raise self._unavailable(f"cannot be reached ({_reason(error.reason)})") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._unavailable(f"broke off ({_reason(error)})") from None
        try:
            fields = json.loads(said)
            token, lifetime_s = fields["access_token"], float(fields.get("expires_in") or UNKNOWN_LIFETIME_S)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise self._unavailable("answered without an access_token") from None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise self._unavailable("answered a token that is none")
        return token, lifetime_s

    def _unavailable(self, reason: str) -> SinkUnavailableError:
        return SinkUnavailableError(
            f"[kafka] oauth_token_url = {self._client.url.partition('?')[0]}",
            reason,
            "start the authorization server, or correct oauth_token_url, oauth_client_id, oauth_client_secret_file and oauth_scope",
        )


def _error_of(error: urllib.error.HTTPError) -> str:
    """The error's code where the answer holds one; nothing else of it, for it may repeat what was sent."""
    with error:
        try:
            code = json.loads(error.read(LONGEST_BYTES))["error"]
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, RecursionError):
            return ""
    return f" ({code})" if code in ERRORS else ""


def _reason(error: Any) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return str(getattr(error, "strerror", None) or ("timed out" if isinstance(error, TimeoutError) else type(error).__name__))
