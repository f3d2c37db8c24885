"""Distinct secrets in every place that takes one; then everything that is written is searched for them."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge_agent.agent import check
from edge_agent.config import load_settings, with_secrets
from edge_agent.core.errors import EdgeAgentError, SinkUnavailableError
from edge_agent.publish.kafka_token import Client, EndpointToken
from tests.an_agent import AgentProcess, frame, until, write_frame
from tests.peers.certificates import Authority
from tests.peers.token_endpoint import TokenEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRETS = {
    "password": 'Pw1-in "file"\\7c2e',
    "password-file": "Pw2-own-file-51aa",
    "token-variable": "Tk3-variable-9d0b",
    "token": "Tk1-in-file-83fe",
    "token-file": "Tk2-own-file-2b6d",
    "webhook-file": "Wh1/own/file/e7a4",
    "webhook-variable": "Wh2/variable/44c1",
    "client": "Cs1-in-file-d35f",
    "client-file": "Cs2-own-file-6a90",
    "jwt-file": "eyJ0.ownfile.f01d",
    "mistaken": "Mi1-mistaken-b8e2",
}
USER = "pc7"
BUG = """
from edge_agent.observe import http
async def bug(self):
    raise RuntimeError(f"a bug that tells {_told!r} and {_told}")
http.HealthServer.start = bug
"""


def forms(secret: str) -> list[bytes]:
    """How it may have been written."""
    pairs = (secret, f"{USER}:{secret}", f"\0{USER}\0{secret}")
    return [form.encode() for form in (secret, repr(secret)[1:-1], secret.replace('"', '\\"'))] + [
        base64.b64encode(pair.encode()).rstrip(b"=")[:-1] for pair in pairs
    ]


class EchoServer:
    """A broker that says back whatever it is told, and hangs up."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(0.2)
                try:
                    while said := connection.recv(65536):
                        connection.sendall(said)
                except OSError:
                    continue

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def broker() -> Iterator[EchoServer]:
    made = EchoServer()
    yield made
    made.close()


def quoted(secret: str) -> str:
    return '"' + secret.replace("\\", "\\\\").replace('"', '\\"') + '"'


def address(secret: str) -> str:
    return f"http://127.0.0.1:9/services/{SECRETS[secret]}"


def planted(home: Path, way: str, broker: EchoServer) -> tuple[str, dict[str, str], list[str]]:
    """[http] onwards, the environment, and the secrets in it; what goes into files is written beside the configuration."""
    home.mkdir(parents=True, exist_ok=True)
    for name in ("password-file", "token-file", "client-file", "jwt-file"):
        (home / name).write_text(SECRETS[name] + "\n")
    (home / "webhook-file").write_text(address("webhook-file"))
    kafka = f'[kafka]\nbootstrap_servers = "{broker.address}"\n'
    login = f'{kafka}security_protocol = "SASL_PLAINTEXT"\nsasl_mechanism = "PLAIN"\nsasl_username = "{USER}"\n'
    oauth = f'{kafka}security_protocol = "SASL_SSL"\nsasl_mechanism = "OAUTHBEARER"\n'
    client = f'{oauth}oauth_token_url = "http://127.0.0.1:9/token"\noauth_client_id = "{USER}"\n'
    webhook = "[alert]\nwebhook_file = 'webhook-file'\n"
    variable = {"EDGE_AGENT__ALERT__WEBHOOK": address("webhook-variable")}
    token, token_file = f"token = {quoted(SECRETS['token'])}\n", "token_file = 'token-file'\n"
    tables, environment, names = {
        "file": (f"{token}{webhook}{login}sasl_password = {quoted(SECRETS['password'])}\n", {}, "token webhook-file password"),
        "variables": (
            f"{token_file}{login}sasl_password_file = 'password-file'\n",
            {**variable, "EDGE_AGENT__HTTP__TOKEN": SECRETS["token-variable"]},
            "token-file webhook-variable password-file",
        ),
        "client's file": (
            f"{token_file}{webhook}{client}oauth_client_secret_file = 'client-file'\n",
            {},
            "token-file webhook-file client-file",
        ),
        "jwt": (f"{token}{oauth}oauth_token_file = 'jwt-file'\n", variable, "token webhook-variable"),
    }[way]
    told = {name: f"/services/{secret}" if name.startswith("webhook") else secret for name, secret in SECRETS.items()}
    return tables, environment, [told[name] for name in names.split()]


PLANTED = ("edge-agent.toml", "password-file", "token-file", "webhook-file", "client-file", "jwt-file")


def leaks(folder: Path, said: bytes) -> list[str]:
    """Secrets found in what was said and in every file but those they were planted in."""
    written = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name not in PLANTED}
    written[Path("said")] = said
    return [
        f"{name} in {path}"
        for path, content in written.items()
        for name, secret in SECRETS.items()
        for form in forms(secret)
        if form in content
    ]


VERBS = """
import sys
from edge_agent.cli import main
for verb in _verbs:
    sys.argv[1:] = [*verb, "--config", _config]
    try:
        main()
    except SystemExit:
        pass
"""


def edge_agent(config: Path, environment: dict[str, str], *verbs: tuple[str, ...], first: str = "") -> bytes:
    """What the verbs say, one after another in one process."""
    program = f"_verbs, _config = {verbs!r}, {str(config)!r}\n{first}\n{VERBS}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=90, check=False, env={**os.environ, **environment})
    return done.stdout + done.stderr


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", ["file", "variables", "client's file", "jwt"])
def test_no_secret_is_written_anywhere(tmp_path: Path, models: Path, broker: EchoServer, way: str) -> None:
    tables, environment, secrets = planted(tmp_path / "home", way, broker)
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models, tables=tables + '[log]\nlevel = "debug"\n')
    for number in range(45):  # the noise rises, so that an alert is to be told
        write_frame(agent.watched / f"S{number // 15}" / f"{number:03d}.tif", frame(number, noise=6.0 if number < 30 else 30.0))
    with agent:
        agent.start(environment=environment)
        until(lambda: "sink=kafka" in agent.log, "the broker's failure", 60)
        until(lambda: "sink=webhook" in agent.log, "the webhook's failure", 60)
        agent.stop()
    said = agent.log.encode()
    said += edge_agent(agent.config, environment, ("--debug", "config", "show"), ("--debug", "doctor"), ("status", "--json"))
    crashed = edge_agent(agent.config, environment, ("--debug", "run", "--once"), first=f"_told = {secrets!r}\n{BUG}")
    assert b"a bug that tells" in crashed
    assert leaks(tmp_path, said + crashed) == []


WRONG = {
    "a line that is no TOML": ("[kafka]\nbootstrap_servers = 'a:1'\nsasl_password = SECRET\n", {}),
    "a quote too few": ('[kafka]\nbootstrap_servers = "a:1"\nsasl_password = "SECRET\n', {}),
    "a table instead": ('[kafka]\nbootstrap_servers = "a:1"\nsasl_password = ["SECRET"]\n', {}),
    "a name misspelt": ('[kafka]\nbootstrap_servers = "a:1"\nsasl_pasword = "SECRET"\n', {}),
    "a scheme of its own": ('[alert]\nwebhook = "ftp://a.org/SECRET"\n', {}),
    "http to others": ('[alert]\nwebhook = "http://a.org/SECRET"\n', {}),
    "a name in the address": ('[alert]\nwebhook = "https://me:SECRET@a.org/"\n', {}),
    "a name in the endpoint": (
        """[kafka]
bootstrap_servers = "a:1"
security_protocol = "SASL_SSL"
sasl_mechanism = "OAUTHBEARER"
oauth_token_url = "https://me:SECRET@a.org/"
""",
        {},
    ),
    "a variable misspelt": ("", {"EDGE_AGENT__KAFKA__SASL_PASWORD": "SECRET", "EDGE_AGENT__KAFKA__BOOTSTRAP_SERVERS": "a:1"}),
    "a variable that is a list": ("", {"EDGE_AGENT__HTTP__TOKEN": "['SECRET']"}),
    "a section misspelt": ('[kaffka]\nsasl_password = "SECRET"\n', {}),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_mistake_beside_a_secret_is_told_without_it(tmp_path: Path, models: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tables, environment = WRONG[what]
    secret = SECRETS["mistaken"]
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models, tables=tables.replace("SECRET", secret))
    for name, value in environment.items():
        monkeypatch.setenv(name, value.replace("SECRET", secret))
    with pytest.raises(EdgeAgentError) as refused:
        list(check(with_secrets(load_settings(agent.config))))
    said = "".join(traceback.format_exception(refused.value)) + repr(refused.value)
    assert leaks(tmp_path, said.encode()) == []


def test_a_token_endpoint_that_repeats_what_it_was_told_is_not_repeated(tmp_path: Path) -> None:
    authority, secret = Authority(tmp_path / "pki"), SECRETS["client-file"]
    basic = base64.b64encode(f"{USER}:{secret}".encode()).decode()
    with TokenEndpoint(authority.issue("endpoint", "DNS:localhost"), USER, secret, lambda _: "token") as endpoint:
        token = EndpointToken(Client(endpoint.url, USER, secret, ca_file=authority.certificate))
        assert secret not in repr(token.__dict__)
        for status, body in (
            (400, f'{{"error": "{secret}"}}'),
            (500, basic),
            (200, f'{{"error": "{basic}"}}'),
            (200, '{"access_token": "a\\nb"}'),
        ):
            endpoint.answer = (status, {"X-Said": basic}, body.encode())
            with pytest.raises(SinkUnavailableError) as refused:
                token.token()
            assert secret not in str(refused.value)
            assert basic not in str(refused.value)
