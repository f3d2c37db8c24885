"""A Windows service by pywin32. It watches over an ordinary agent process, so that the agent runs in its own Python environment."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from pathlib import Path, PureWindowsPath
    from typing import TYPE_CHECKING

    from edge_agent.core.errors import ConfigurationError, EdgeAgentError
    from edge_agent.service.drives import SessionDrives, refuse_unseen_drives
    from edge_agent.service.supervise import Supervisor
    from edge_agent.service.system import NAME, ServiceState

    try:
        import pywintypes
        import servicemanager
        import win32con
        import win32service
        import win32serviceutil
        import winerror
    except ImportError:
        raise EdgeAgentError("service", "pywin32 is not installed", "run pip install '.[service]' in the checkout") from None

    if TYPE_CHECKING:
        from edge_agent.config import Settings

    ACCOUNT = r"NT AUTHORITY\LocalService"
    """May read what every user of this machine may, and nothing on the network."""
    STATES = {
        win32service.SERVICE_RUNNING: "running",
        win32service.SERVICE_STOPPED: "stopped",
        win32service.SERVICE_START_PENDING: "starting",
        win32service.SERVICE_STOP_PENDING: "stopping",
    }
    RESTART_MS = 10_000
    FORGET_S = 3600

    class AgentService(win32serviceutil.ServiceFramework):  # type: ignore[misc] # pywin32 has no types
        """What the service control manager starts."""

        _svc_name_ = NAME
        _svc_display_name_ = "edge-agent"
        _svc_description_ = "Judges an instrument's frames as they are written, and says when its model's answers stop being trustworthy."

        def __init__(self, arguments: list[str]) -> None:
            self._svc_name_ = arguments[0]
            super().__init__(arguments)
            python, config, self._log = (
                win32serviceutil.GetServiceCustomOption(self._svc_name_, option) for option in ("python", "config", "log")
            )
            command = [python, "-P", "-m", "edge_agent.cli", "run", "--stop-with-stdin", "--config", config]
            self._supervisor = Supervisor(command, Path(self._log))

        def SvcStop(self) -> None:  # noqa: N802 - pywin32's name
            """The manager wants it to end."""
            self.ReportServiceStatus(win32service.SERVICE_STOP_PENDING, waitHint=20_000)
            self._supervisor.stop()

        SvcShutdown = SvcStop

        def SvcDoRun(self) -> None:  # noqa: N802 - pywin32's name
            """Block while the agent runs."""
            code = self._supervisor.run()
            if code:
                servicemanager.LogErrorMsg(f"the agent ended with exit code {code}; its log says why: {self._log}")

    class WindowsService:
        """The agent as a Windows service; a SystemService.

        Args:
            name: the service's name.
        """

        def __init__(self, name: str = NAME) -> None:
            self._name = name

        def install(self, config: Path, settings: Settings, account: str | None, password: str | None) -> str:
            """Register and start the service; raises EdgeAgentError."""
            state_dir = settings.agent.state_dir
            if state_dir is None:
                raise ConfigurationError(
                    "[agent] state_dir",
                    "is not set, and a service's own place is another than yours",
                    "set it to a local folder that the service's account may write, such as C:/ProgramData/edge-agent",
                )
            named = {"--config": config, "[agent] state_dir": state_dir}
            named |= {f"[[stream]] {stream.name}: path": stream.path for stream in settings.stream}
            refuse_unseen_drives({setting: PureWindowsPath(path) for setting, path in named.items()}, SessionDrives())
            log = state_dir / "log" / "service.log"
            try:
                win32serviceutil.InstallService(
                    f"{__name__}.{AgentService.__name__}",
                    self._name,
                    AgentService._svc_display_name_,
                    startType=win32service.SERVICE_AUTO_START,
                    userName=account or ACCOUNT,
                    password=password,
                    description=AgentService._svc_description_,
                    delayedstart=True,
                )
                for option, value in (("python", sys.executable), ("config", str(config)), ("log", str(log))):
                    win32serviceutil.SetServiceCustomOption(self._name, option, value)
                self._start_again_after_failures()
                win32serviceutil.StartService(self._name)
            except pywintypes.error as error:
                raise self._failed("cannot be installed", error) from None
            return f"service {self._name} is installed and started as {account or ACCOUNT}; its log: {log}"

        def uninstall(self) -> str:
            """Stop and remove the service; raises EdgeAgentError."""
            try:
                if self.status().running:
                    win32serviceutil.StopServiceWithDeps(self._name, waitSecs=20)
                win32serviceutil.RemoveService(self._name)
            except pywintypes.error as error:
                raise self._failed("cannot be removed", error) from None
            return f"service {self._name} is stopped and removed; state and configuration stay"

        def status(self) -> ServiceState:
            """What the service control manager says."""
            try:
                state = win32serviceutil.QueryServiceStatus(self._name)[1]
            except pywintypes.error as error:
                if error.winerror == winerror.ERROR_SERVICE_DOES_NOT_EXIST:
                    return ServiceState(installed=False, running=False, said=f"there is no service {self._name}")
                raise self._failed("cannot be asked", error) from None
            said = STATES.get(state, str(state))
            return ServiceState(installed=True, running=state == win32service.SERVICE_RUNNING, said=f"service {self._name} is {said}")

        def _start_again_after_failures(self) -> None:
            """Should the service itself fail; an agent that fails is started again by the service."""
            manager = win32service.OpenSCManager(None, None, win32service.SC_MANAGER_CONNECT)
            try:
                handle = win32service.OpenService(manager, self._name, win32con.GENERIC_ALL)
                try:
                    actions = [(win32service.SC_ACTION_RESTART, RESTART_MS)] * 3
                    win32service.ChangeServiceConfig2(
                        handle,
                        win32service.SERVICE_CONFIG_FAILURE_ACTIONS,
                        {"ResetPeriod": FORGET_S, "RebootMsg": "", "Command": "", "Actions": actions},
                    )
                finally:
                    win32service.CloseServiceHandle(handle)
            finally:
                win32service.CloseServiceHandle(manager)

        def _failed(self, what: str, error: pywintypes.error) -> EdgeAgentError:
            return EdgeAgentError(f"service {self._name}", f"{what} ({error.strerror})", "run it in a console opened as administrator")
