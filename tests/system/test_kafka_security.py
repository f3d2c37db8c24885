"""TLS, certificates, passwords and tokens against a real broker: what is right arrives, what is wrong is named with its setting.

The broker checks tokens in earnest, signature and audience included, against the issuer's keys; the issuer is the test's own.
kcat reads over TLS, with its own certificate too. It cannot log in: its librdkafka before 2.6.1 repeats the SCRAM nonce, which brokers
since CVE-2024-56128 refuse, and it asks for no token.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.agent.broker import broker_settings
from edge_agent.config import load_settings
from edge_agent.core.clock import SystemClock
from edge_agent.core.errors import SinkUnavailableError
from edge_agent.core.telemetry import NoTelemetry
from edge_agent.journal import Journal
from edge_agent.publish import KafkaSettings, KafkaSink, Publisher, agent_heartbeat, existing_topics, try_transaction
from tests.an_agent import RUN, AgentProcess, frame, until, write_frame
from tests.peers.kafka import why_absent
from tests.peers.secured_kafka import PASSWORD, USER, SecuredBroker
from tests.peers.token_endpoint import TokenEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("kcat")

CLIENT, SECRET = "edge agent", "s3cret:%&+/ü"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, missing: Callable[[str, str], None]) -> Iterator[SecuredBroker]:
    if reason := why_absent():
        missing("kafka", reason)
    if shutil.which("openssl") is None:
        missing("openssl", "it makes the certificates")
    with SecuredBroker(tmp_path_factory.mktemp("secured")) as made:
        (made.folder / "password").write_text(PASSWORD + "\n", encoding="utf-8")
        (made.folder / "wrong").write_text("not the password")
        (made.folder / "secret").write_text(SECRET, encoding="utf-8")
        (made.folder / "token").write_text(made.issuer.token(USER))
        (made.folder / "expired").write_text(made.issuer.token(USER, -600))
        yield made


@pytest.fixture(scope="module")
def endpoint(broker: SecuredBroker) -> Iterator[TokenEndpoint]:
    issued = broker.authority.issue("endpoint", "DNS:localhost")
    with TokenEndpoint(issued, CLIENT, SECRET, lambda scope: broker.issuer.token(USER, scope=scope)) as made:
        yield made


def table(broker: SecuredBroker, way: str, endpoint: TokenEndpoint | None = None) -> dict[str, str]:
    """[kafka] for a way of speaking to the broker."""
    ca = str(broker.authority.certificate)
    scram = {"sasl_username": USER, "sasl_password_file": str(broker.folder / "password")}
    oauth = {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER", "ssl_ca_file": ca}
    own = {"ssl_certificate_file": str(broker.client.certificate), "ssl_key_file": str(broker.client.key)}
    client = {"oauth_client_id": CLIENT, "oauth_client_secret_file": str(broker.folder / "secret")}
    found: dict[str, dict[str, str]] = {
        "tls": {"security_protocol": "SSL", "ssl_ca_file": ca},
        "mutual": {"security_protocol": "SSL", "ssl_ca_file": ca, **own},
        "scram-256": {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-256", "ssl_ca_file": ca, **scram},
        "scram-512": {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512", "ssl_ca_file": ca, **scram},
        "open_scram": {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-512", **scram},
        "oauth-file": {**oauth, "oauth_token_file": str(broker.folder / "token")},
    }
    if endpoint is not None:
        found["oauth-url"] = {**oauth, "oauth_token_url": endpoint.url, "oauth_ca_file": ca, "oauth_scope": "kafka:write", **client}
    listener = {"scram-256": "scram", "scram-512": "scram", "oauth-file": "oauth", "oauth-url": "oauth"}.get(way, way)
    return {"bootstrap_servers": broker.at(listener), **found[way]}


def toml(fields: dict[str, str]) -> str:
    return "[kafka]\n" + "".join(f"{name} = '{value}'\n" for name, value in fields.items())


def configured(home: Path, fields: dict[str, str], agent: str = "agent") -> KafkaSettings:
    """What the agent makes of [kafka] in a file."""
    (home / "edge-agent.toml").write_text(
        f'[agent]\nname = "{agent}"\n[[stream]]\nname = "sem"\npath = "images"\nmodel.name = "sem-real"\n{toml(fields)}', encoding="utf-8"
    )
    made = broker_settings(load_settings(home / "edge-agent.toml", {}))
    assert made is not None
    return made


LIBRDKAFKA = {
    "security_protocol": "security.protocol",
    "ssl_ca_file": "ssl.ca.location",
    "ssl_certificate_file": "ssl.certificate.location",
    "ssl_key_file": "ssl.key.location",
}


def told(broker: SecuredBroker, fields: dict[str, str], agent: str) -> list[int]:
    """The numbers of the agent's heartbeats, as kcat reads them over the same TLS."""
    options = {LIBRDKAFKA[name]: value for name, value in fields.items() if name in LIBRDKAFKA}
    records = broker.read("edge.agents", at=fields["bootstrap_servers"], options=options)
    return [int(record.value["reason"]) for record in records if record.key == f"{agent}/sem"]


@pytest.mark.parametrize("way", ["tls", "mutual", "scram-256", "scram-512", "open_scram", "oauth-file", "oauth-url"])
async def test_events_arrive_once_by_every_way(broker: SecuredBroker, endpoint: TokenEndpoint, tmp_path: Path, way: str) -> None:
    agent = f"agent-{uuid.uuid4().hex[:8]}"
    fields = table(broker, way, endpoint)
    journal = await Journal.open(tmp_path / "state", clock=SystemClock())
    await journal.append([agent_heartbeat(agent, "sem", number * 1000, "ok", str(number)) for number in range(50)])
    sink = KafkaSink(configured(tmp_path, fields, agent))
    publisher = Publisher(journal, sink, SystemClock(), NoTelemetry())
    task = asyncio.create_task(publisher.run())
    try:
        publisher.wake()
        async with asyncio.timeout(60):
            await publisher.drained()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await sink.close()
        await journal.close()
    assert told(broker, fields if way in {"tls", "mutual"} else table(broker, "tls"), agent) == list(range(50))
    if way == "oauth-url":
        assert endpoint.scopes == ["kafka:write"], "one token serves every connection"


def file(name: str) -> Callable[[SecuredBroker], str]:
    return lambda broker: str(broker.folder / name)


def at(listener: str) -> Callable[[SecuredBroker], str]:
    return lambda broker: broker.at(listener)


ATTEMPTS = 4
"""On a busy machine kafka-python may drop a refusal that comes together with the connection's end: then all that may be wrong is named."""
WRONG: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "password": (
        "scram-512",
        {"sasl_password_file": file("wrong")},
        ("[kafka] sasl_username = pc7 with its password", "refuses it", "sasl_password_file"),
    ),
    "user": ("scram-256", {"sasl_username": "nobody"}, ("[kafka] sasl_username = nobody with its password", "refuses it")),
    "mechanism": ("scram-512", {"sasl_mechanism": "PLAIN"}, ("[kafka] sasl_mechanism = PLAIN",)),
    "authority": ("tls", {"ssl_ca_file": file("pki/stranger.pem")}, ("[kafka] ssl_ca_file = ", "does not vouch for the broker")),
    "no authority": ("tls", {"ssl_ca_file": None}, ("[kafka] ssl_ca_file: ", "authorities of this system do not vouch")),
    "expired": ("tls", {"bootstrap_servers": at("expired")}, ("Kafka at localhost", "its certificate has expired", "renewed")),
    "host": ("tls", {"bootstrap_servers": at("elsewhere")}, ("[kafka] bootstrap_servers = localhost", "is not made out to localhost")),
    "no certificate": (
        "mutual",
        {"ssl_certificate_file": None, "ssl_key_file": None},
        ("[kafka] ssl_certificate_file: ", "refuses a client without one"),
    ),
    "certificate": (
        "mutual",
        {"ssl_certificate_file": file("pki/strangers-client.pem"), "ssl_key_file": file("pki/strangers-client.key")},
        ("[kafka] ssl_certificate_file = ", "refuses it"),
    ),
    "plain to TLS": (
        "tls",
        {"security_protocol": None, "ssl_ca_file": None},
        ("[kafka] security_protocol = PLAINTEXT", "speaks TLS", "set security_protocol = 'SSL'"),
    ),
    "TLS to plain": (
        "tls",
        {"bootstrap_servers": lambda broker: broker.address},
        ("[kafka] security_protocol = SSL", "does not speak TLS"),
    ),
    "nobody": ("tls", {"bootstrap_servers": "127.0.0.1:9"}, ("Kafka at 127.0.0.1:9", "cannot be reached (Connection refused)")),
    "token": ("oauth-file", {"oauth_token_file": file("expired")}, ("[kafka] the token of OAUTHBEARER", "refuses it", "clocks")),
    "client secret": (
        "oauth-url",
        {"oauth_client_secret_file": file("wrong")},
        ("[kafka] oauth_token_url = https", "answered 401 (invalid_client)", "oauth_client_secret_file"),
    ),
    "endpoint's authority": (
        "oauth-url",
        {"oauth_ca_file": file("pki/stranger.pem")},
        ("[kafka] oauth_token_url = https", "cannot be reached", "certificate"),
    ),
}


def wrong(broker: SecuredBroker, endpoint: TokenEndpoint, what: str) -> dict[str, str]:
    way, changes, _ = WRONG[what]
    fields: dict[str, Any] = {**table(broker, way, endpoint), **changes}
    return {name: value(broker) if callable(value) else value for name, value in fields.items() if value is not None}


@pytest.mark.parametrize("what", WRONG)
async def test_what_is_wrong_is_said_in_one_line_with_its_setting(
    broker: SecuredBroker, endpoint: TokenEndpoint, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.publish.kafka_settings.BOOTSTRAP_PATIENCE_MS", 3_000)
    thing, *more = WRONG[what][2]
    for _ in range(ATTEMPTS):
        sink = KafkaSink(configured(tmp_path, wrong(broker, endpoint, what)))
        with pytest.raises(SinkUnavailableError) as refused:
            await sink.recover("journal", 0)
        await sink.close()
        said = str(refused.value)
        if thing in said.partition(";")[0]:
            break
        assert "before anybody is logged in" in said
        assert all(setting in said for setting in ("sasl_mechanism", "sasl_username", "sasl_password_file", "the token")), said
    else:
        pytest.fail(said)
    assert all(words in said for words in more), said
    assert "\n" not in said
    assert all(secret not in said for secret in (PASSWORD, SECRET, "not the password", "eyJ")), said


def test_doctor_is_told_the_same(broker: SecuredBroker, endpoint: TokenEndpoint, tmp_path: Path) -> None:
    for ask in (existing_topics, try_transaction):
        with pytest.raises(SinkUnavailableError, match="does not vouch for the broker"):
            ask(configured(tmp_path, wrong(broker, endpoint, "authority")))
    assert try_transaction(configured(tmp_path, table(broker, "scram-512"))).denied == ""


def test_a_redirected_token_request_is_not_followed(broker: SecuredBroker, endpoint: TokenEndpoint, tmp_path: Path) -> None:
    settings = configured(tmp_path, table(broker, "oauth-url", endpoint))
    assert settings.token is not None
    for answer, said in {
        (307, "https://127.0.0.1:1/steal"): "answered 307",
        (302, "file:///etc/passwd"): "answered 302",
        (200, ""): "without an access_token",
    }.items():
        endpoint.answer = (answer[0], {"Location": answer[1]} if answer[1] else {}, b'{"access_token": 5}' if not answer[1] else b"")
        try:
            with pytest.raises(SinkUnavailableError, match="oauth_token_url") as refused:
                settings.token.token()
        finally:
            endpoint.answer = None
        assert said in str(refused.value) or "is none" in str(refused.value)


def doctor(agent: AgentProcess) -> str:
    command = [sys.executable, "-c", RUN, "doctor", "--config", str(agent.config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False).stdout


def test_run_waits_for_a_token_that_is_good_and_nothing_is_lost(broker: SecuredBroker, tmp_path: Path, models: Path) -> None:
    name = f"agent-{uuid.uuid4().hex[:8]}"
    token = tmp_path / "token"
    token.write_text(broker.issuer.token(USER, -600))
    fields = {**table(broker, "oauth-file"), "oauth_token_file": str(token)}
    watched = tmp_path / "images"
    for number in range(5):
        write_frame(watched / "S0" / f"{number}.tif", frame(number))
    with AgentProcess(tmp_path / "home", watched, model_dirs=models, tables=toml(fields), name=name) as agent:
        said = doctor(agent)
        assert "the token of OAUTHBEARER" in said, said
        agent.start()
        assert "refuses it" in agent.unready("events", "the token of OAUTHBEARER", timeout_s=60)
        token.write_text(broker.issuer.token(USER))
        until(lambda: agent.readiness()["parts"]["events"]["state"] == "ok", "the events' way to be free", 60)
        assert agent.stop() == 0
    records = broker.read(
        "edge.frames", at=broker.at("tls"), options={"security.protocol": "SSL", "ssl.ca.location": str(broker.authority.certificate)}
    )
    assert [record.value["path"] for record in records if record.key == f"{name}/sem"] == [f"S0/{number}.tif" for number in range(5)]
    assert "eyJ" not in agent.log
