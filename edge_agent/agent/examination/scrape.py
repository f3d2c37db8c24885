"""The address for metrics and health: served by the agent that runs, or free for one."""

from __future__ import annotations

import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from edge_agent.agent.examination.finding import fine, mend, note
from edge_agent.agent.presence import ask_agent
from edge_agent.config import read_secret
from edge_agent.core.errors import ConfigurationError
from edge_agent.observe import bind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.agent.examination.finding import Finding
    from edge_agent.agent.presence import Present
    from edge_agent.config import HttpSettings, Settings

PART = "http"


def scrape(settings: Settings, agent: Present | None) -> Iterator[Finding]:
    """Scrape the agent as Prometheus does; without one, whether the address can be had."""
    http = settings.http
    if http.token_file is not None:
        read_secret("[http] token_file", http.token_file)
    _try_certificate(http)
    if agent is None:
        with bind(http):
            yield fine(PART, f"{http.listen} is free for metrics and health")
        return
    if agent.card is None:
        yield note(PART, "the agent is starting, and does not say yet where it listens")
        return
    status, body = ask_agent(settings, agent, "/metrics")
    if status != HTTPStatus.OK:
        why = "the token has changed since the agent started; restart it" if status == HTTPStatus.UNAUTHORIZED else "look at its log"
        yield mend(PART, f"{agent.card.url}/metrics answers {status}: {why}")
        return
    try:
        samples = sum(len(family.samples) for family in text_string_to_metric_families(body.decode()))
    except ValueError as error:
        yield mend(
            PART, f"what {agent.card.url}/metrics answers is no text format of Prometheus ({error}); another program may listen there"
        )
        return
    yield fine(PART, f"{agent.card.url}/metrics answers a scrape with {samples} samples")
    if http.port not in {0, urlsplit(agent.card.url).port}:
        yield note(PART, f"the agent listens at {agent.card.url}, the configuration says {http.listen} by now; restart it")


def _try_certificate(http: HttpSettings) -> None:
    if http.tls_certificate_file is None:
        return
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            http.tls_certificate_file, http.tls_key_file, password=lambda: ""
        )
    except OSError as error:  # an SSLError is one
        raise ConfigurationError(
            f"[http] tls_certificate_file = {http.tls_certificate_file}",
            f"certificate or key cannot be used ({error.strerror or error})",
            "name a PEM certificate and its unencrypted PEM key, both readable by the agent",
        ) from None
