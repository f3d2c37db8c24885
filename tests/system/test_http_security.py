"""The agent's address beyond the loopback: TLS and a token, tried by a TLS client and a Prometheus that are not ours."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from edge_agent.agent import check
from edge_agent.config import load_settings
from edge_agent.core.errors import ConfigurationError
from tests.an_agent import AgentProcess, until
from tests.conftest import absent
from tests.peers.certificates import Authority, Issued
from tests.peers.prometheus import PrometheusServer, why_absent

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "open-sesame"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    if shutil.which("openssl") is None:
        absent("openssl", "it makes the certificates")
    return Authority(tmp_path / "pki")


def agent_with(tmp_path: Path, models: Path, issued: Issued) -> AgentProcess:
    (tmp_path / "token").write_text(TOKEN + "\n")
    http = {"tls_certificate_file": issued.certificate, "tls_key_file": issued.key, "token_file": tmp_path / "token"}
    lines = "".join(f'{name} = "{path}"\n' for name, path in http.items())
    return AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models, tables=lines)


def address(agent: AgentProcess) -> str:
    """host:port, once the agent says so."""
    return until(
        lambda: agent.log.rpartition("https://")[2].split()[0].rstrip("'\"\x1b[0m") if "https://" in agent.log else "", "the address"
    )


def status(url: str, authority: Path, token: str = "") -> int:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=10, context=ssl.create_default_context(cafile=authority)) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def validated(agent: AgentProcess) -> list[str]:
    """What `config validate` prints."""
    return list(check(load_settings(agent.config, {})))


def test_a_client_and_a_prometheus_read_it_by_tls_with_the_token(tmp_path: Path, models: Path, authority: Authority) -> None:
    if reason := why_absent("prometheus"):
        absent("prometheus", reason)
    with agent_with(tmp_path, models, authority.issue("agent", "DNS:localhost", "IP:127.0.0.1")) as agent:
        agent.start()
        at = address(agent)
        assert status(f"https://{at}/metrics", authority.certificate, TOKEN) == 200
        assert status(f"https://{at}/metrics", authority.certificate, "wrong") == 401
        assert status(f"https://{at}/metrics", authority.certificate) == 401
        assert status(f"https://{at}/healthz", authority.certificate) == 200
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            status(f"https://{at}/metrics", Authority(tmp_path / "pki", "stranger").certificate, TOKEN)
        with pytest.raises((urllib.error.URLError, OSError)):
            urllib.request.urlopen(f"http://{at}/healthz", timeout=10)
        scrape = {
            "job_name": "edge-agent",
            "scheme": "https",
            "tls_config": {"ca_file": str(authority.certificate)},
            "authorization": {"credentials_file": str(tmp_path / "token")},
            "static_configs": [{"targets": [at]}],
        }
        blind = {**scrape, "job_name": "blind", "tls_config": {}}
        mute = {**scrape, "job_name": "mute", "authorization": {"credentials": "wrong"}}
        with PrometheusServer(tmp_path / "prometheus", [scrape, blind, mute], interval="1s") as prometheus:
            seen = until(
                lambda: len(found := {one["metric"]["job"]: one["value"][1] for one in prometheus.query("up")}) == 3 and found, "scrapes"
            )
            until(lambda: prometheus.query('edge_agent_build_info{job="edge-agent"}'), "the metrics")
        assert seen == {"edge-agent": "1", "blind": "0", "mute": "0"}
        assert TOKEN not in agent.log


@pytest.mark.parametrize("what", ["rubbish", "another key", "encrypted key", "no key file", "empty token"])
def test_files_that_cannot_be_used_are_told_before_anything_runs(tmp_path: Path, models: Path, authority: Authority, what: str) -> None:
    issued = authority.issue("agent", "DNS:localhost")
    agent = agent_with(tmp_path, models, issued)
    assert validated(agent)
    if what == "rubbish":
        issued.certificate.write_text("rubbish")
    elif what == "another key":
        issued.key.write_text(authority.issue("other", "DNS:localhost").key.read_text())
    elif what == "encrypted key":
        command = ["openssl", "pkey", "-in", str(issued.key), "-aes256", "-passout", "pass:hush", "-out", str(tmp_path / "new")]
        subprocess.run(command, check=True, capture_output=True)
        (tmp_path / "new").replace(issued.key)
    elif what == "no key file":
        issued.key.unlink()
    else:
        (tmp_path / "token").write_text("\n")
    with pytest.raises(ConfigurationError) as refused:
        validated(agent)
    assert str(refused.value).startswith("[http] token_file" if what == "empty token" else "[http] tls_certificate_file")
    assert "\n" not in str(refused.value)
    if what == "encrypted key":
        assert agent.run_once() == 78
        assert str(refused.value) in agent.log


def test_what_others_may_read_is_said(tmp_path: Path, models: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    tables = f'token_file = "{tmp_path / "token"}"\n[kafka]\nbootstrap_servers = "broker.example.org:9092"\n'
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models, tables=tables)
    agent.config.write_text(agent.config.read_text().replace("127.0.0.1:0", "0.0.0.0:0"))
    said = "\n".join(validated(agent))
    assert "metrics: WARNING: the token goes over the network unencrypted" in said
    assert "events: WARNING: they go over the network unencrypted" in said
