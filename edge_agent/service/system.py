"""What installing the agent as a service means on any system, and which system this is."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from edge_agent.core.errors import EdgeAgentError

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.config import Settings

NAME = "edge-agent"


@dataclass(frozen=True, slots=True)
class ServiceState:
    """How a service stands.

    Attributes:
        installed: whether the system knows it.
        running: whether it runs now.
        said: the same in the system's words.
    """

    installed: bool
    running: bool
    said: str


class SystemService(Protocol):
    """One operating system's way to run the agent by itself, from the machine's start on."""

    def install(self, config: Path, settings: Settings, account: str | None, password: str | None) -> str:
        """Make the agent a service with this configuration, start it, and say what was done; raises EdgeAgentError."""
        ...

    def uninstall(self) -> str:
        """Stop and remove the service; what the agent has stored stays."""
        ...

    def status(self) -> ServiceState:
        """How the service stands."""
        ...


def service_of(name: str = NAME) -> SystemService:
    """This system's services; raises EdgeAgentError where there is no way yet."""
    if sys.platform == "win32":
        from edge_agent.service.windows import WindowsService  # noqa: PLC0415 - needs pywin32, on Windows only

        return WindowsService(name)
    if sys.platform == "linux":
        from edge_agent.service.systemd import SystemdService  # noqa: PLC0415 - on Linux only

        return SystemdService(name)
    raise EdgeAgentError(f"service {name}", f"services of {sys.platform} are not known", "run `edge-agent run` by the system's own means")
