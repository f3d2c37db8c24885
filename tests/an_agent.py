"""A real agent in a process of its own, for tests that start, stop and kill it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RUN = "from edge_agent.cli import main; main()"


def until(condition: Callable[[], Any], what: str, timeout_s: float = 30.0) -> Any:
    """Wait until `condition` is true and return it; looks often, gives up loudly."""
    deadline = time.monotonic() + timeout_s
    while True:
        if found := condition():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s} s for {what}")
        time.sleep(0.02)


def frame(seed: int, size: tuple[int, int] = (96, 96), level: float = 120.0, noise: float = 6.0) -> np.ndarray:
    """A smooth texture with noise, uint8, shape `size`: a stand-in for a micrograph where only the flow matters."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    texture = 25 * np.sin(x / (6 + seed % 3)) * np.cos(y / 7)
    return np.clip(level + texture + rng.normal(0, noise, size), 1, 254).astype(np.uint8)


def write_frame(path: Path, pixels: np.ndarray) -> Path:
    """Write a TIFF as careful instruments do: under another name, then renamed into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    Image.fromarray(pixels).save(partial, "TIFF")
    partial.replace(path)
    return path


class AgentProcess:
    """`edge-agent run` on a folder.

    Args:
        home: gets the configuration and the state directory.
        watched: the folder.
        settings: further TOML, top-level tables first in `tables`, lines of the stream in `stream`.
    """

    def __init__(
        self,
        home: Path,
        watched: Path,
        *,
        model_dirs: Path | None = None,
        model: str = "tiny",
        stream: str = "",
        tables: str = "",
        name: str = "agent",
    ) -> None:
        self.home, self.watched = home, watched
        self.state_dir = home / "state"
        self.config = home / "edge-agent.toml"
        home.mkdir(parents=True, exist_ok=True)
        watched.mkdir(parents=True, exist_ok=True)
        dirs = f'model_dirs = ["{model_dirs.as_posix()}"]' if model_dirs else ""
        self.config.write_text(
            f'[agent]\nname = "{name}"\nstate_dir = "{self.state_dir.as_posix()}"\n{dirs}\nthreads = 1\n'
            f'[http]\nlisten = "127.0.0.1:0"\n{tables}\n'
            f'[[stream]]\nname = "sem"\npath = "{watched.as_posix()}"\nmodel.name = "{model}"\n'
            f'start = "beginning"\nsettle = 0.1\n{stream}\n',
            encoding="utf-8",
        )
        self.process: subprocess.Popen[bytes] | None = None
        self._log = home / "agent.log"

    def start(
        self, *arguments: str, environment: dict[str, str] | None = None, preexec: Callable[[], None] | None = None, first: str = ""
    ) -> AgentProcess:
        """Start `edge-agent run`; does not wait. `first` are Python statements run in its process before it, to shorten its waits."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", f"{first}\n{RUN}", "run", "--config", str(self.config), *arguments],
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
                preexec_fn=preexec,  # noqa: PLW1509 - limits have to be set between fork and exec
            )
        return self

    def run_once(self, timeout_s: float = 60.0, **options: Any) -> int:
        """Start with --once and return the exit code."""
        self.start("--once", **options)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float = 30.0) -> int:
        assert self.process is not None
        code = self.process.wait(timeout_s)
        self.process = None
        return code

    def kill(self) -> None:
        """Kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self, timeout_s: float = 15.0) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.kill()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""

    @property
    def url(self) -> str:
        """Where this run serves metrics, once it says so in its log."""
        started = [line for line in self.log.splitlines() if "metrics" in line and "http://127.0.0.1:" in line]
        return "http://127.0.0.1:" + started[-1].rpartition("http://127.0.0.1:")[2].split()[0].strip("'\"\x1b[0m") if started else ""

    def ready(self, timeout_s: float = 30.0) -> dict[str, Any]:
        """Wait for /readyz to answer 200."""
        return until(
            lambda: (answer := self.readiness()) and answer["ready"] and answer, f"readiness of the agent; it said:\n{self.log}", timeout_s
        )

    def unready(self, part: str, saying: str = "", timeout_s: float = 30.0) -> str:
        """Wait until /readyz calls the part that begins with `part` unwell, for a reason that holds `saying`, and return the reason."""

        def reason() -> str:
            parts = self.readiness().get("parts", {})
            standing = next((told for name, told in parts.items() if name.startswith(part)), {})
            return str(standing["reason"]) if standing.get("state", "ok") != "ok" and saying in standing["reason"] else ""

        return str(until(reason, f"{part} to be unwell; the agent said:\n{self.log}\n{self.readiness()}", timeout_s))

    def readiness(self) -> dict[str, Any]:
        """The present answer of /readyz, {} while nothing answers."""
        if not self.url:
            return {}
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)
        except OSError:
            return {}

    def metrics(self) -> str:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=5) as answer:
            return answer.read().decode()

    def metric(self, name_and_labels: str) -> float:
        """A sample's value, such as `edge_agent_frames_total{outcome="scored",stream="sem"}`."""
        for line in self.metrics().splitlines():
            if line.startswith(name_and_labels + " "):
                return float(line.rpartition(" ")[2])
        raise AssertionError(f"{name_and_labels} is not among the metrics")

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        """The JSON Lines events whose type contains `kind`, whole lines only."""
        found = []
        for path in sorted((self.state_dir / "events").glob("*.jsonl")):
            found += [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1] if line]
        return [event for event in found if kind in event["type"]]
