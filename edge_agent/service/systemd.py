"""A systemd unit for the agent: written, enabled, started, and taken away again."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.core.errors import EdgeAgentError
from edge_agent.service.system import NAME, ServiceState

if TYPE_CHECKING:
    from edge_agent.config import Settings

UNITS = Path("/etc/systemd/system")
BOOTED = Path("/run/systemd/system")
"""Is there where systemd runs (sd_booted(3)); its programs alone, as in a container, do nothing."""
PLAIN = re.compile(r"^[A-Za-z0-9_./@+:,=-]+$")
OURS = "Description=edge-agent:"
PATIENCE_S = 60.0


def render(*, program: Path, config: Path, account: str, name: str = NAME) -> str:
    """The unit's text; raises EdgeAgentError for a path that a unit cannot hold as it is.

    Args:
        program: the installed `edge-agent`, absolute.
        config: the configuration file, absolute; `environment` beside it may set variables.
        account: the user it runs as.
        name: the service's name, and that of its state directory.
    """
    for path in (program, config):
        if not PLAIN.match(str(path)):
            raise EdgeAgentError(str(path), "holds characters that a systemd unit would take for something else", "choose a plainer path")
    template = files("edge_agent.service").joinpath("systemd.unit").read_text(encoding="utf-8")
    return template.format(program=program, config=config, account=account, name=name, environment=config.with_name("environment"))


class SystemdService:
    """The agent as a systemd service; a SystemService.

    Args:
        name: the unit's name.
        units: where units lie.
    """

    def __init__(self, name: str = NAME, units: Path = UNITS) -> None:
        self._name = name
        self._unit = units / f"{name}.service"

    def install(self, config: Path, settings: Settings, account: str | None, password: str | None) -> str:  # noqa: ARG002 - Windows needs them
        """Write, enable and start the unit; raises EdgeAgentError."""
        user = account or NAME
        text = render(program=Path(sys.executable).with_name("edge-agent"), config=config, account=user, name=self._name)
        self._refuse_strangers()
        _refuse_missing_account(user)
        _program()
        if not BOOTED.is_dir():
            raise EdgeAgentError(
                "systemd", "does not run here, and nothing was written", "start `edge-agent run` by the system's own means"
            )
        try:
            self._unit.write_text(text, encoding="utf-8")
        except OSError as error:
            raise EdgeAgentError(str(self._unit), f"cannot be written ({error.strerror})", "run it as root, such as with sudo") from None
        self._systemctl("daemon-reload")
        self._systemctl("enable", "--now", self._unit.name)
        return f"{self._unit} is enabled and started as user {user}; its log: journalctl -u {self._name}"

    def uninstall(self) -> str:
        """Stop, disable and remove the unit; raises EdgeAgentError."""
        if not self._unit.exists():
            return f"{self._unit} does not exist; nothing to do"
        self._refuse_strangers()
        if not BOOTED.is_dir():
            self._unit.unlink()
            return f"{self._unit} is removed; systemd does not run here, so there was nothing to stop"
        self._systemctl("disable", "--now", self._unit.name)
        self._unit.unlink()
        self._systemctl("daemon-reload")
        return f"{self._unit} is stopped and removed; state and configuration stay"

    def status(self) -> ServiceState:
        """What systemctl says."""
        if not self._unit.exists():
            return ServiceState(installed=False, running=False, said=f"{self._unit} does not exist: run `edge-agent service install`")
        if not BOOTED.is_dir():
            return ServiceState(installed=True, running=False, said=f"{self._unit} is there, but systemd does not run here")
        told = subprocess.run(  # noqa: S603 - a fixed program
            [_program(), "is-active", self._unit.name], capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
        state = told.stdout.strip() or told.stderr.strip() or "unknown"
        return ServiceState(installed=True, running=state == "active", said=f"{self._unit.name} is {state}")

    def _refuse_strangers(self) -> None:
        if self._unit.exists() and OURS not in self._unit.read_text(encoding="utf-8", errors="replace"):
            raise EdgeAgentError(str(self._unit), "is a unit of another program", "choose another --name")

    def _systemctl(self, *arguments: str) -> None:
        told = subprocess.run(  # noqa: S603 - a fixed program
            [_program(), *arguments], capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
        if told.returncode:
            raise EdgeAgentError(
                f"systemctl {' '.join(arguments)}",
                f"failed: {' '.join((told.stderr or told.stdout).split()) or told.returncode}",
                f"look at `systemctl status {self._unit.name}`, or start the agent by other means",
            )


def _program() -> str:
    found = shutil.which("systemctl")
    if found is None:
        raise EdgeAgentError("systemctl", "is not there: this system has no systemd", "start `edge-agent run` by the system's own means")
    return found


def _refuse_missing_account(user: str) -> None:
    if sys.platform != "win32":
        import pwd  # noqa: PLC0415 - posix only

        try:
            pwd.getpwnam(user)
        except KeyError:
            raise EdgeAgentError(
                f"user {user}",
                "does not exist",
                f"create it with `useradd --system --no-create-home {user}`, or name another with --account",
            ) from None
