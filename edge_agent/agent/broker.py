"""What [kafka] says, checked as far as it can be without a broker."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from edge_agent.config import read_secret
from edge_agent.core.errors import ConfigurationError
from edge_agent.publish import KafkaSettings as SinkSettings
from edge_agent.publish.kafka_token import LONGEST_BYTES, Client, EndpointToken, FileToken

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.config import KafkaSettings, Settings


def broker_settings(settings: Settings) -> SinkSettings | None:
    """How the broker is reached, None where there is none; raises ConfigurationError for a file that cannot be used."""
    kafka = settings.kafka
    if kafka is None:
        return None
    password = kafka.sasl_password.get_secret_value() if kafka.sasl_password else None
    if kafka.sasl_password_file is not None:
        password = read_secret("[kafka] sasl_password_file", kafka.sasl_password_file)
    if kafka.security_protocol in {"SSL", "SASL_SSL"}:
        _check_certificates(kafka)
    return SinkSettings(
        agent=settings.agent.name,
        bootstrap_servers=kafka.bootstrap_servers,
        security_protocol=kafka.security_protocol,
        sasl_mechanism=kafka.sasl_mechanism,
        sasl_username=kafka.sasl_username,
        sasl_password=password,
        token=_token(kafka),
        ssl_ca_file=kafka.ssl_ca_file,
        ssl_certificate_file=kafka.ssl_certificate_file,
        ssl_key_file=kafka.ssl_key_file,
        replication_factor=kafka.replication_factor,
        topics=kafka.topics,
    )


def _token(kafka: KafkaSettings) -> FileToken | EndpointToken | None:
    if kafka.oauth_token_file is not None:
        read_secret("[kafka] oauth_token_file", kafka.oauth_token_file, LONGEST_BYTES)  # one that is not there is a wrong setting now
        return FileToken(kafka.oauth_token_file)
    if kafka.oauth_token_url is None or kafka.oauth_client_id is None:
        return None
    secret = kafka.oauth_client_secret.get_secret_value() if kafka.oauth_client_secret else ""
    if kafka.oauth_client_secret_file is not None:
        secret = read_secret("[kafka] oauth_client_secret_file", kafka.oauth_client_secret_file)
    if (authorities := kafka.oauth_ca_file) is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _try_file("oauth_ca_file", authorities, lambda: context.load_verify_locations(authorities))
    return EndpointToken(Client(kafka.oauth_token_url, kafka.oauth_client_id, secret, kafka.oauth_scope, authorities))


def _check_certificates(kafka: KafkaSettings) -> None:
    """Try the PEM files now: at sending, one that is missing would look like a broker that is away."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if (authorities := kafka.ssl_ca_file) is not None:
        _try_file("ssl_ca_file", authorities, lambda: context.load_verify_locations(authorities))
    if (key := kafka.ssl_key_file) is not None:
        _try_file("ssl_key_file", key, lambda: None)
    if (certificate := kafka.ssl_certificate_file) is not None:
        _try_file("ssl_certificate_file", certificate, lambda: context.load_cert_chain(certificate, key, password=lambda: ""))


def _try_file(setting: str, path: Path, load: Callable[[], None]) -> None:
    try:
        path.open("rb").close()
        load()
    except OSError as error:  # an SSLError is one
        raise ConfigurationError(
            f"[kafka] {setting} = {path}",
            f"it cannot be used ({error.strerror or error})",
            "name a PEM file that the agent may read; keys belong to their certificate and are not encrypted",
        ) from None
