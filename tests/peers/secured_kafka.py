"""A real broker that is spoken to by TLS, with certificates, passwords (SCRAM) and web tokens (OAUTHBEARER), a listener for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.peers.certificates import Authority, TokenIssuer
from tests.peers.kafka import KafkaBroker, free_port

if TYPE_CHECKING:
    from pathlib import Path

USER, PASSWORD = "pc7", 'pass "word"%7'
VALIDATOR = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler"
MODULES = {
    "SCRAM-SHA-256": "scram.ScramLoginModule",
    "SCRAM-SHA-512": "scram.ScramLoginModule",
    "OAUTHBEARER": "oauthbearer.OAuthBearerLoginModule",
}


class SecuredBroker(KafkaBroker):
    """A broker with a listener for each way of speaking to it.

    They are `tls`, `mutual` (asks for the client's certificate), `scram`, `oauth`, `open_scram` (without TLS), and two whose certificate
    is wrong: `expired`, and `elsewhere` (another host's). Tokens are checked against the issuer's keys, as in earnest.
    """

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "pki")
        self.stranger = Authority(folder / "pki", "stranger")
        self.issuer = TokenIssuer(folder / "pki")
        self.client = self.authority.issue("client", "DNS:pc7")
        self.strangers_client = self.stranger.issue("strangers-client", "DNS:pc7")
        names = ("DNS:localhost", "IP:127.0.0.1")
        good = self.authority.issue("broker", *names).both
        stores = {
            "tls": good,
            "mutual": good,
            "scram": good,
            "oauth": good,
            "expired": self.authority.issue("expired", *names, days=-1).both,
            "elsewhere": self.authority.issue("elsewhere", "DNS:broker.example.org").both,
        }
        self.ports = {name: free_port() for name in (*stores, "open_scram")}
        lines = [
            f"listener.name.{name}.ssl.keystore.type=PEM\nlistener.name.{name}.ssl.keystore.location={store}"
            for name, store in stores.items()
        ]
        lines += [
            "listener.name.mutual.ssl.client.auth=required",
            f"listener.name.mutual.ssl.truststore.type=PEM\nlistener.name.mutual.ssl.truststore.location={self.authority.certificate}",
            f"listener.name.oauth.oauthbearer.sasl.server.callback.handler.class={VALIDATOR}",
            f"sasl.oauthbearer.jwks.endpoint.url={self.issuer.keys.as_uri()}",
            "sasl.oauthbearer.expected.audience=kafka",
            "sasl.oauthbearer.jwt.validator.class=org.apache.kafka.common.security.oauthbearer.BrokerJwtValidator",
        ]
        for name, mechanisms in {"scram": list(MODULES)[:2], "open_scram": list(MODULES)[:2], "oauth": list(MODULES)[2:]}.items():
            lines.append(f"listener.name.{name}.sasl.enabled.mechanisms={','.join(mechanisms)}")
            lines += [
                f"listener.name.{name}.{mechanism.lower()}.sasl.jaas.config=org.apache.kafka.common.security.{MODULES[mechanism]} required;"
                for mechanism in mechanisms
            ]
        super().__init__(
            folder,
            "\n".join(lines),
            listeners={name: (self._protocol(name), port) for name, port in self.ports.items()},
            scram={USER: PASSWORD},
            java=(f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={self.issuer.keys.as_uri()}",),
        )

    @staticmethod
    def _protocol(listener: str) -> str:
        return {"scram": "SASL_SSL", "oauth": "SASL_SSL", "open_scram": "SASL_PLAINTEXT"}.get(listener, "SSL")

    def at(self, listener: str) -> str:
        """host:port of a listener."""
        return f"localhost:{self.ports[listener]}"
