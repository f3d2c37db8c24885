"""The files in deploy/ fit each other, the agent's settings, and the programs that read them."""

from __future__ import annotations

import configparser
import itertools
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent.config import load_settings
from tests.conftest import absent
from tests.deployed_queries import DEPLOY, dashboard

COMPOSE = DEPLOY / "compose.yaml"
PANELS = [panel for panel in dashboard()["panels"] if panel["type"] != "row"]
VARIABLES = {"instance", "stream", "__rate_interval"}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = load(COMPOSE)["services"]
    return found


LASTING = sorted(name for name, service in services().items() if "restart" in service)


def host_paths(service: dict[str, Any]) -> list[str]:
    return [volume.split(":")[0] for volume in service.get("volumes", []) if volume.startswith(".")]


def named_volumes(service: dict[str, Any]) -> list[str]:
    return [volume.split(":")[0] for volume in service.get("volumes", []) if re.match(r"[a-z]", volume)]


def test_the_whole_line_is_there():
    assert set(services()) == {"kafka", "models", "triton", "agent", "prometheus", "alertmanager", "grafana"}


@pytest.mark.parametrize("name", LASTING)
def test_a_lasting_service_is_watched_and_started_again(name: str):
    service = services()[name]

    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert service["ports"]


@pytest.mark.parametrize("name", sorted(services()))
def test_a_service_uses_pinned_images_loopback_ports_and_declared_things(name: str):
    service, whole = services()[name], load(COMPOSE)

    assert re.search(r":(v?\d[\w.-]*|local)$", service["image"])
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert set(named_volumes(service)) <= set(whole["volumes"])
    assert set(service.get("secrets", [])) <= set(whole["secrets"])
    assert [path for path in host_paths(service) if not (DEPLOY / path).exists()] == []
    for other, how in service.get("depends_on", {}).items():
        lasts = other in LASTING
        assert how["condition"] == ("service_healthy" if lasts else "service_completed_successfully")


def test_published_ports_do_not_collide():
    ports = [port.split(":")[1] for service in services().values() for port in service.get("ports", [])]

    assert len(ports) == len(set(ports))


def test_what_is_built_is_there():
    build = services()["agent"]["build"]
    dockerfile = DEPLOY / build["context"] / build["dockerfile"]
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile.read_text(), re.MULTILINE)

    assert copied
    assert all((DEPLOY.parent / source).exists() for sources in copied for source in sources.split())


def test_the_gpu_file_changes_known_services_only():
    override = load(DEPLOY / "compose.gpu.yaml")["services"]

    assert set(override) <= set(services())
    for service in override.values():
        assert service["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]


def test_the_agents_configuration_is_accepted_and_names_services_that_exist():
    settings = load_settings(DEPLOY / "agent" / "edge-agent.toml", {})
    stream, agent = settings.stream[0], services()["agent"]
    mounted = {volume.rsplit(":", 2)[-2] if volume.endswith(":ro") else volume.rsplit(":", 1)[-1] for volume in agent["volumes"]}

    assert settings.kafka is not None
    assert {address.split(":")[0] for address in [*settings.kafka.bootstrap_servers, stream.model.url or ""]} <= set(services())
    assert f"INSIDE://{settings.kafka.bootstrap_servers[0]}" in services()["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert {str(stream.path), str(settings.agent.state_dir)} <= mounted
    assert settings.http.token_file == Path("/run/secrets/metrics_token")
    assert agent["ports"] == [f"127.0.0.1:{settings.http.port}:{settings.http.port}"]


def test_prometheus_and_grafana_ask_services_that_exist():
    prometheus = load(DEPLOY / "prometheus" / "prometheus.yml")
    asked = [target for job in prometheus["scrape_configs"] for group in job["static_configs"] for target in group["targets"]]
    asked += [target for group in prometheus["alerting"]["alertmanagers"][0]["static_configs"] for target in group["targets"]]
    asked += [
        source["url"].removeprefix("http://") for source in load(DEPLOY / "grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    ]

    for address in asked:
        host, port = address.split(":")
        service = services()["prometheus" if host == "localhost" else host]
        assert any(published.endswith(f":{port}") for published in service["ports"]), address


def test_nobody_is_notified_until_somebody_says_whom():
    (receiver,) = load(DEPLOY / "alertmanager" / "alertmanager.yml")["receivers"]

    assert list(receiver) == ["name"]


def test_no_secret_is_shipped():
    tracked = subprocess.run(["git", "ls-files", "secrets"], cwd=DEPLOY, capture_output=True, text=True, check=False)
    if tracked.returncode:
        absent("git", "this is no git checkout")

    assert tracked.stdout.split() == ["secrets/.gitignore"]


def test_secrets_are_made_once(tmp_path: Path):
    if shutil.which("sh") is None or not Path("/dev/urandom").exists():
        absent("sh", "there is no POSIX shell")
    (tmp_path / "secrets").mkdir()
    script = shutil.copy(DEPLOY / "make-secrets.sh", tmp_path)
    runs = []
    for _ in range(2):
        subprocess.run(["sh", script], check=True, capture_output=True)
        runs.append({path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()})
    first, made = runs
    assert made == first
    assert set(made) == set(load(COMPOSE)["secrets"])
    assert all(re.fullmatch("[0-9a-f]{48}", secret) for secret in made.values())
    assert len(set(made.values())) == 2


def test_the_dashboard_is_one_that_grafana_provisions():
    board = dashboard()
    provider = load(DEPLOY / "grafana/provisioning/dashboards/edge-agent.yaml")["providers"][0]

    assert board["schemaVersion"] >= 39
    assert board["uid"]
    assert "id" not in board
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in services()["grafana"]["volumes"]


def test_every_panel_has_an_id_and_a_place_of_its_own():
    panels = dashboard()["panels"]
    cells = [
        (x, y)
        for panel in panels
        for x, y in itertools.product(
            range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"]),
            range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"]),
        )
    ]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_asks_the_provisioned_source(panel: dict[str, Any]):
    provisioned = {source["uid"] for source in load(DEPLOY / "grafana/provisioning/datasources/prometheus.yaml")["datasources"]}

    assert panel["type"] in {"stat", "timeseries", "state-timeline", "heatmap", "table"}
    assert panel["description"]
    assert {source["uid"] for source in [panel["datasource"], *(target["datasource"] for target in panel["targets"])]} <= provisioned
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    assert set(re.findall(r"\$(\w+)", json.dumps([target["expr"] for target in panel["targets"]]))) <= VARIABLES


@pytest.mark.parametrize("annotation", [one for one in dashboard()["annotations"]["list"] if "expr" in one], ids=lambda one: one["name"])
def test_an_annotation_asks_the_provisioned_source(annotation: dict[str, Any]):
    provisioned = {source["uid"] for source in load(DEPLOY / "grafana/provisioning/datasources/prometheus.yaml")["datasources"]}

    assert annotation["datasource"]["uid"] in provisioned
    assert annotation["enable"]
    assert annotation["titleFormat"]
    assert re.fullmatch(r"\d+s", annotation["step"])
    assert set(re.findall(r"offset (\w+)", annotation["expr"])) <= {annotation["step"]}
    assert set(re.findall(r"\$(\w+)", annotation["expr"])) <= VARIABLES


def test_the_unit_lets_systemd_watch_and_restart_the_agent():
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[method-assign,assignment]  # configparser's own way to keep the case of keys
    unit.read(DEPLOY / "systemd" / "edge-agent.service")
    service = dict(unit["Service"])

    assert service["Type"] == "notify"
    assert service["WatchdogSec"] == "30s"
    assert service["StateDirectory"] == "edge-agent"
    assert service["Restart"] == "on-failure"
    assert service["RestartPreventExitStatus"] == "78"
    assert int(service["TimeoutStopSec"].removesuffix("s")) > 10
    assert service["Environment"] == "EDGE_AGENT__AGENT__STATE_DIR=%S/edge-agent"


def test_systemd_reads_the_unit(tmp_path: Path):
    if shutil.which("systemd-analyze") is None:
        absent("systemd", "there is no systemd-analyze")
    text = (DEPLOY / "systemd" / "edge-agent.service").read_text()
    text = text.replace("/opt/edge-agent/bin/edge-agent", shutil.which("true") or "/bin/true").replace("User=edge-agent", "User=daemon")
    (tmp_path / "edge-agent.service").write_text(re.sub("^Documentation=.*", "", text, flags=re.MULTILINE))

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / "edge-agent.service")], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
