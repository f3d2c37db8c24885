"""The unit that is installed, held against systemd's own checker; systemd itself does not run here, so its answers are a script's."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.config import Settings
from edge_agent.core.errors import EdgeAgentError
from edge_agent.service import systemd
from edge_agent.service.systemd import SystemdService, render
from tests.conftest import absent
from tests.deployed_queries import DEPLOY

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")
PLACES = {"program": Path("/opt/edge-agent/bin/edge-agent"), "config": Path("/etc/edge-agent/edge-agent.toml")}


def settings(folder: Path) -> Settings:
    return Settings.model_validate({"stream": [{"name": "sem", "path": folder, "model": {"name": "tiny"}}]})


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Says what it was asked, in a file; a unit named `bad` fails."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program, calls = folder / "systemctl", folder / "calls"
    program.write_text(f'#!/bin/sh\necho "$*" >> {calls}\ncase "$*" in *bad*) echo "no way" >&2; exit 5;; is-active*) echo active;; esac\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(systemd, "BOOTED", tmp_path)
    monkeypatch.setattr(systemd, "_refuse_missing_account", lambda user: None)
    return calls


def test_the_unit_that_is_deployed_by_hand_is_the_one_that_is_installed() -> None:
    assert (DEPLOY / "systemd" / "edge-agent.service").read_text(encoding="utf-8") == render(**PLACES, account="edge-agent")


def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        absent("systemd", "there is no systemd-analyze")
    unit = tmp_path / "second.service"
    unit.write_text(render(program=Path("/bin/true"), config=Path("/etc/hostname"), account="root", name="second"))
    told = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    mine = [line for line in told.stderr.splitlines() if "second.service" in line]
    assert (told.returncode, mine) == (0, [])


def test_install_writes_enables_and_starts_and_uninstall_takes_away(tmp_path: Path, systemctl: Path) -> None:
    service = SystemdService("sem", tmp_path)
    said = service.install(Path("/etc/sem.toml"), settings(tmp_path), "ann", None)
    unit = tmp_path / "sem.service"
    assert "User=ann" in unit.read_text()
    assert "StateDirectory=sem" in unit.read_text()
    assert "--config /etc/sem.toml" in unit.read_text()
    assert str(unit) in said
    assert service.status().running
    assert systemctl.read_text().splitlines()[:2] == ["daemon-reload", "enable --now sem.service"]
    service.uninstall()
    assert not unit.exists()
    assert "disable --now sem.service" in systemctl.read_text()
    assert not service.status().installed


def test_the_unit_of_another_program_is_left_alone(tmp_path: Path, systemctl: Path) -> None:
    (tmp_path / "sem.service").write_text("[Unit]\nDescription=a spectrometer\n")
    for act in (
        lambda: SystemdService("sem", tmp_path).install(Path("/a.toml"), settings(tmp_path), None, None),
        SystemdService("sem", tmp_path).uninstall,
    ):
        with pytest.raises(EdgeAgentError, match="another program"):
            act()
    assert "spectrometer" in (tmp_path / "sem.service").read_text()


def test_what_systemctl_refuses_is_told_in_its_words(tmp_path: Path, systemctl: Path) -> None:
    with pytest.raises(EdgeAgentError, match="no way"):
        SystemdService("bad", tmp_path).install(Path("/etc/sem.toml"), settings(tmp_path), None, None)


def test_where_systemd_does_not_run_nothing_is_written_and_what_lies_there_goes(
    tmp_path: Path, systemctl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd, "BOOTED", tmp_path / "none")
    service, unit = SystemdService("sem", tmp_path), tmp_path / "sem.service"
    with pytest.raises(EdgeAgentError, match="does not run here"):
        service.install(Path("/etc/sem.toml"), settings(tmp_path), "ann", None)
    assert not unit.exists()
    unit.write_text(render(**PLACES, account="ann"))
    assert "systemd does not run here" in service.status().said
    assert "is removed" in service.uninstall()
    assert (unit.exists(), systemctl.exists()) == (False, False)


def test_an_account_that_is_missing_is_named_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(EdgeAgentError, match="useradd"):
        SystemdService("sem", tmp_path).install(Path("/etc/sem.toml"), settings(tmp_path), "nobody-of-this-name", None)
    assert not list(tmp_path.iterdir())


def test_a_path_that_a_unit_would_misread_is_refused() -> None:
    with pytest.raises(EdgeAgentError, match="plainer"):
        render(program=Path("/bin/edge-agent"), config=Path("/etc/my lab.toml"), account="ann")
