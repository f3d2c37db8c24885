"""The agent as a service of the operating system: systemd on Linux, the service control manager on Windows."""

from edge_agent.service.drives import Drives, refuse_unseen_drives
from edge_agent.service.supervise import Supervisor
from edge_agent.service.system import ServiceState, SystemService, service_of

__all__ = ["Drives", "ServiceState", "Supervisor", "SystemService", "refuse_unseen_drives", "service_of"]
