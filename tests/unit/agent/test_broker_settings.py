"""What is wrong with [kafka] is told as such, not as a broker that is away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.agent import check, examine
from edge_agent.config import KafkaSettings, Settings, load_settings
from edge_agent.core.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


def settings(home: Path, kafka: dict[str, Any]) -> Settings:
    (home / "images").mkdir()
    (home / "edge-agent.toml").write_text(
        '[[stream]]\nname = "sem"\npath = "images"\nmodel.name = "sem-real"\n[http]\nlisten = "127.0.0.1:0"\n'
    )
    read = load_settings(home / "edge-agent.toml", {})
    agent = read.agent.model_copy(update={"state_dir": home / "state"})
    return read.model_copy(update={"agent": agent, "kafka": KafkaSettings(**{"bootstrap_servers": "127.0.0.1:9", **kafka})})


SASL = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "sasl_username": "pc7"}


@pytest.mark.parametrize(
    ("protocol", "files"),
    [
        ({"security_protocol": "SSL"}, {"ssl_ca_file": None}),
        ({"security_protocol": "SSL"}, {"ssl_ca_file": "rubbish"}),
        ({"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_username": "u", "sasl_password": "p"}, {"ssl_ca_file": None}),
        ({"security_protocol": "SSL"}, {"ssl_certificate_file": None}),
        ({"security_protocol": "SSL"}, {"ssl_certificate_file": "rubbish"}),
        ({"security_protocol": "SSL"}, {"ssl_key_file": None, "ssl_certificate_file": "rubbish"}),
        (SASL, {"sasl_password_file": None}),
    ],
)
def test_a_file_that_cannot_be_used_is_a_wrong_setting(tmp_path: Path, protocol: dict[str, Any], files: dict[str, str | None]) -> None:
    for name, content in files.items():
        if content is not None:
            (tmp_path / name).write_text(content)
    configured = settings(tmp_path, {**protocol, **{name: tmp_path / name for name in files}})
    with pytest.raises(ConfigurationError) as caught:
        list(check(configured))
    first = next(iter(files))
    assert str(caught.value).startswith(f"[kafka] {first} = {tmp_path / first}: it cannot be ")
    assert caught.value.exit_code == 78


async def test_doctor_is_not_content_with_a_port_that_is_open(tmp_path: Path) -> None:
    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        findings = await examine(settings(tmp_path, {"bootstrap_servers": f"127.0.0.1:{port}"}), tmp_path / "edge-agent.toml")
    (events,) = [finding for finding in findings if finding.part == "events"]
    assert not events.good
    assert f"127.0.0.1:{port}" in events.said
