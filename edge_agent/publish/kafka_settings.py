"""How the broker is reached, as kafka-python wants to hear it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge_agent.config import TopicSettings

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.publish.kafka_token import EndpointToken, FileToken

BOOTSTRAP_PATIENCE_MS = 5_000
"""How long a client tries to reach the first broker."""


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """What a Kafka sink needs to know.

    Attributes:
        agent: the agent's name; its transactional id and cursor key are made of it.
        bootstrap_servers: host:port of one or more brokers.
        topics: topic names.
        security_protocol: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
        sasl_mechanism, sasl_username, sasl_password: with a SASL protocol.
        token: where the token comes from, with OAUTHBEARER.
        ssl_ca_file, ssl_certificate_file, ssl_key_file: PEM files; the system's authorities when absent.
        partitions, replication_factor: for topics that have to be created.
        transaction_timeout_ms: after which the broker aborts a transaction its producer has left.
    """

    agent: str
    bootstrap_servers: tuple[str, ...]
    topics: TopicSettings = field(default_factory=TopicSettings)
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    token: FileToken | EndpointToken | None = None
    ssl_ca_file: Path | None = None
    ssl_certificate_file: Path | None = None
    ssl_key_file: Path | None = None
    partitions: int = 4
    replication_factor: int = 1
    transaction_timeout_ms: int = 10_000

    @property
    def address(self) -> str:
        """The brokers, for people."""
        return ", ".join(self.bootstrap_servers)

    @property
    def transactional_id(self) -> str:
        """Fences any earlier producer of the same agent."""
        return f"edge-agent.{self.agent}"

    def connection(self, role: str) -> dict[str, Any]:
        """kafka-python's settings that producer, consumer and admin client share."""

        def name(path: Path | None) -> str | None:
            return None if path is None else str(path)

        return {
            **({} if self.token is None else {"sasl_oauth_token_provider": self.token}),
            "bootstrap_servers": list(self.bootstrap_servers),
            "client_id": f"edge-agent.{self.agent}.{role}",
            "security_protocol": self.security_protocol,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.sasl_username,
            "sasl_plain_password": self.sasl_password,
            "ssl_cafile": name(self.ssl_ca_file),
            "ssl_certfile": name(self.ssl_certificate_file),
            "ssl_keyfile": name(self.ssl_key_file),
            "bootstrap_timeout_ms": BOOTSTRAP_PATIENCE_MS,
            "request_timeout_ms": 5_000,
            "reconnect_backoff_max_ms": 1_000,
            "retry_backoff_ms": 5,
        }
