"""Why a broker cannot be reached as configured, in the words of the settings.

kafka-python says "unable to bootstrap" of everything, so the last failure that it told its log is kept with the error, and where that
does not name the setting, the broker is asked once more, here: by a connection, and a TLS handshake where TLS is configured.
"""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

from kafka.errors import SaslAuthenticationFailedError, UnsupportedSaslMechanismError

from edge_agent.core.blanking import Blanking
from edge_agent.core.errors import EdgeAgentError, SinkUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.publish.kafka_settings import KafkaSettings

PATIENCE_S = 3.0
ALERT_PATIENCE_S = 1.0
"""In TLS 1.3 a broker says after the handshake that it refuses our certificate, and says nothing when it does not."""
NOT_YET_VALID, EXPIRED, HOST_MISMATCH, ADDRESS_MISMATCH = 9, 10, 62, 64
"""OpenSSL's X509_V_ERR_ numbers."""
REMEDY = "start the broker, or correct [kafka]; events wait in the journal"


def reach(settings: KafkaSettings) -> None:
    """Raise SinkUnavailableError where no broker can be connected to, or none by TLS as configured; blocking.

    kafka-python would try for seconds, and leave the socket of each failed handshake to the garbage collector.
    """
    troubles = [_trouble(settings, address, thoroughly=False) for address in settings.bootstrap_servers]
    if all(troubles) and (first := troubles[0]):
        raise first


def explain(settings: KafkaSettings, error: BaseException) -> SinkUnavailableError:
    """The failure `error` of a client that was to connect, with the setting it lies in where that can be told."""
    causes = list(_chain(error))
    if told := next((found for cause in causes if (found := _told(settings, cause))), None):
        return told
    troubles = [_trouble(settings, address, thoroughly=True) for address in settings.bootstrap_servers]
    if all(troubles) and (first := troubles[0]):
        return first
    said = next((text for cause in reversed(causes) if (text := _words(settings, cause))), type(error).__name__)
    if settings.security_protocol.startswith("SASL"):  # kafka-python drops a refusal that comes together with the connection's end
        return SinkUnavailableError(
            f"[kafka] sasl_mechanism = {settings.sasl_mechanism}",
            f"the broker at {settings.address} ends the connection before anybody is logged in ({said})",
            "start the broker, or correct sasl_mechanism and what it shows: sasl_username and sasl_password_file, or the token",
        )
    return SinkUnavailableError(
        f"Kafka at {settings.address}", f"does not answer {settings.security_protocol} as configured ({said})", REMEDY
    )


def _told(settings: KafkaSettings, cause: BaseException) -> SinkUnavailableError | None:
    """What an error says by itself."""
    if isinstance(cause, EdgeAgentError):
        return SinkUnavailableError(cause.thing, cause.reason, cause.remedy)
    if isinstance(cause, SaslAuthenticationFailedError):
        return _unknown_to_it(settings, _words(settings, cause))
    if isinstance(cause, UnsupportedSaslMechanismError):
        return SinkUnavailableError(
            f"[kafka] sasl_mechanism = {settings.sasl_mechanism}",
            f"the broker at {settings.address} does not offer it at this port ({_words(settings, cause)})",
            "choose one that it offers, or its other port",
        )
    return None


def tls_context(settings: KafkaSettings) -> ssl.SSLContext:
    """As kafka-python makes it of the same files; raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.ssl_ca_file is not None:
        context.load_verify_locations(settings.ssl_ca_file)
    else:
        context.load_default_certs()
    if settings.ssl_certificate_file is not None:
        context.load_cert_chain(settings.ssl_certificate_file, settings.ssl_key_file, password=lambda: "")
    return context


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _words(settings: KafkaSettings, error: BaseException) -> str:
    """In one line, and without what a broker repeats of its login."""
    return Blanking([settings.sasl_password or ""])(" ".join(str(error).split()).removeprefix(f"{type(error).__name__}: "))


def _unknown_to_it(settings: KafkaSettings, said: str) -> SinkUnavailableError:
    reason = f"the broker at {settings.address} refuses it ({said})"
    if settings.sasl_mechanism == "OAUTHBEARER":
        return SinkUnavailableError(
            "[kafka] the token of OAUTHBEARER", reason, "look at its issuer, audience, subject and life, and at both machines' clocks"
        )
    return SinkUnavailableError(
        f"[kafka] sasl_username = {settings.sasl_username} with its password",
        reason,
        "correct sasl_username and sasl_password_file, or have the broker's administrator make this user",
    )


def _trouble(settings: KafkaSettings, address: str, *, thoroughly: bool) -> SinkUnavailableError | None:
    """What keeps us from this broker below Kafka's own protocol; None where nothing does. `thoroughly` takes a second."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        with socket.create_connection((host, int(port)), PATIENCE_S) as connection:
            connection.settimeout(PATIENCE_S)
            if settings.security_protocol in {"SSL", "SASL_SSL"}:
                return _tls_trouble(settings, connection, host, address, thoroughly=thoroughly)
            return _expects_tls(settings, connection, address) if thoroughly else None
    except OSError as error:
        return SinkUnavailableError(f"Kafka at {address}", f"cannot be reached ({error.strerror or error})", REMEDY)


def _tls_trouble(
    settings: KafkaSettings, connection: socket.socket, host: str, address: str, *, thoroughly: bool
) -> SinkUnavailableError | None:
    try:
        context = tls_context(settings)
    except OSError as error:
        names = "[kafka] ssl_ca_file, ssl_certificate_file or ssl_key_file"
        return SinkUnavailableError(names, f"it cannot be used ({error.strerror or error})", "name PEM files")
    try:
        with context.wrap_socket(connection, server_hostname=host) as secured:
            if thoroughly:
                secured.settimeout(ALERT_PATIENCE_S)
                secured.recv(1)
    except TimeoutError:
        return None
    except ssl.SSLCertVerificationError as error:
        return _not_vouched_for(settings, error, host, address)
    except OSError as error:  # an SSLError is one
        alert = str(getattr(error, "reason", None) or "").upper()
        return _refused(settings, address, alert) if "ALERT" in alert else _no_tls(settings, address)
    return None


def _refused(settings: KafkaSettings, address: str, alert: str) -> SinkUnavailableError:
    own = settings.ssl_certificate_file
    return SinkUnavailableError(
        f"[kafka] ssl_certificate_file = {own}" if own else "[kafka] ssl_certificate_file",
        f"the broker at {address} refuses {'it' if own else 'a client without one'} ({alert.replace('_', ' ').lower()})",
        "name a certificate that the broker trusts and that has not expired, and its key",
    )


def _no_tls(settings: KafkaSettings, address: str) -> SinkUnavailableError:
    return SinkUnavailableError(
        f"[kafka] security_protocol = {settings.security_protocol}",
        f"the broker does not speak TLS at {address}",
        "correct the port in bootstrap_servers, or choose the protocol of this one",
    )


def _not_vouched_for(settings: KafkaSettings, error: ssl.SSLCertVerificationError, host: str, address: str) -> SinkUnavailableError:
    if error.verify_code in {HOST_MISMATCH, ADDRESS_MISMATCH}:
        return SinkUnavailableError(
            f"[kafka] bootstrap_servers = {settings.address}",
            f"the certificate of the broker at {address} is not made out to {host}",
            "name the broker as its certificate does, or have a certificate made for this name",
        )
    if error.verify_code in {EXPIRED, NOT_YET_VALID}:
        state = "has expired" if error.verify_code == EXPIRED else "is not valid yet"
        return SinkUnavailableError(
            f"Kafka at {address}", f"its certificate {state}", "have the broker's certificate renewed, and look at this machine's clock"
        )
    authorities, vouch = settings.ssl_ca_file, f"vouch for the broker at {address} ({error.verify_message})"
    return SinkUnavailableError(
        f"[kafka] ssl_ca_file = {authorities}" if authorities else "[kafka] ssl_ca_file",
        f"it does not {vouch}" if authorities else f"it is not set, and the authorities of this system do not {vouch}",
        "name the PEM file of the authority that issued the broker's certificate",
    )


def _expects_tls(settings: KafkaSettings, connection: socket.socket, address: str) -> SinkUnavailableError | None:
    """Whether a port that was spoken to plainly answers TLS; nothing is sent over it, so nobody has to be vouched for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        context.wrap_socket(connection).close()
    except OSError:
        return None
    secured = "SASL_SSL" if settings.security_protocol.startswith("SASL") else "SSL"
    return SinkUnavailableError(
        f"[kafka] security_protocol = {settings.security_protocol}",
        f"the broker speaks TLS at {address}",
        f"set security_protocol = '{secured}', or correct the port in bootstrap_servers",
    )
