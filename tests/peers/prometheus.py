"""A real Prometheus and a real Alertmanager on loopback, each with its own folder, for tests."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

COMMANDS = {
    "prometheus": ("prometheus",),
    "promtool": ("promtool",),
    "alertmanager": ("prometheus-alertmanager", "alertmanager"),
    "amtool": ("amtool",),
    "kcat": ("kcat", "kafkacat"),
}
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def command(name: str) -> str | None:
    """The path of a program of the Prometheus world, None where it is not installed."""
    return next(filter(None, map(shutil.which, COMMANDS[name])), None)


def why_absent(name: str) -> str | None:
    """Why `name` cannot be run here; None when it can."""
    return None if command(name) else f"there is no {COMMANDS[name][0]}; run tests/peers/install.sh prometheus"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Server:
    """One process with an HTTP port; ends with the test that started it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def arguments(self) -> list[str]:
        raise NotImplementedError

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        program = command(self.name)
        assert program is not None, why_absent(self.name)
        log = self.folder / f"{self.name}.log"
        with log.open("wb") as out:
            self._process = subprocess.Popen([program, *self.arguments()], stdout=out, stderr=out, cwd=self.folder)
        try:
            self._wait_until_ready(log)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _wait_until_ready(self, log: Path) -> None:
        assert self._process is not None
        deadline = time.monotonic() + 30
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} did not start:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.05)

    def _ready(self) -> bool:
        try:
            with _direct.open(f"{self.url}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def get(self, path: str, **parameters: str) -> Any:
        """The JSON that GET `path` answers; an HTTP error is raised with what the server said."""
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        try:
            with _direct.open(f"{self.url}{path}{query}", timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path}{query}: {error.read().decode(errors='replace')}") from None

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


class PrometheusServer(_Server):
    """Prometheus with the given scrape configurations.

    Args:
        folder: where configuration, data and log go.
        scrape_configs: as in prometheus.yml.
        rule_files: rule files to load.
        alertmanager: host:port that alerts are sent to.
        interval: scrape and evaluation interval.
    """

    def __init__(
        self,
        folder: Path,
        scrape_configs: list[dict[str, Any]],
        *,
        rule_files: list[Path] | None = None,
        alertmanager: str | None = None,
        interval: str = "200ms",
    ) -> None:
        super().__init__("prometheus", folder)
        targets = [{"static_configs": [{"targets": [alertmanager]}]}] if alertmanager else []
        self._config = {
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
            "rule_files": [str(path) for path in rule_files or []],
            "alerting": {"alertmanagers": targets},
            "scrape_configs": scrape_configs,
        }

    def arguments(self) -> list[str]:
        config = self.folder / "prometheus.yml"
        config.write_text(yaml.safe_dump(self._config))
        return [
            f"--config.file={config}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--log.level=warn",
        ]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The instant vector that `expression` gives now."""
        result: list[dict[str, Any]] = self.get("/api/v1/query", query=expression)["data"]["result"]
        return result

    def alerts(self) -> list[dict[str, Any]]:
        """Every pending and firing alert."""
        found: list[dict[str, Any]] = self.get("/api/v1/alerts")["data"]["alerts"]
        return found


class AlertmanagerServer(_Server):
    """Alertmanager with the given configuration.

    Args:
        folder: where configuration, data and log go.
        config: as in alertmanager.yml.
    """

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        super().__init__("alertmanager", folder)
        self._config = config

    def arguments(self) -> list[str]:
        config = self.folder / "alertmanager.yml"
        config.write_text(yaml.safe_dump(self._config))
        return [
            f"--config.file={config}",
            f"--storage.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]

    def alerts(self) -> list[dict[str, Any]]:
        """Every alert it holds."""
        found: list[dict[str, Any]] = self.get("/api/v2/alerts")
        return found
