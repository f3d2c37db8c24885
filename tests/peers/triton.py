"""A real Triton server from PyPI (nvidia-pytriton's binary), in an environment of its own, for tests."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil

from model_repo.serving.layout import layout
from tests.conftest import absent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

PEER = Path(os.environ.get("EDGE_AGENT_PEERS", Path.home() / ".cache" / "edge-agent-peers")) / "triton"
PYTHON = PEER / "bin" / "python"


def why_absent() -> str | None:
    """Why no Triton can be started here; None when it can."""
    if sys.platform != "linux":
        return "Triton's server runs on Linux"
    if not PYTHON.exists():
        return f"{PEER} is missing; run tests/peers/install.sh triton"
    return None


def _ask(code: str) -> str:
    return subprocess.run([PYTHON, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class TritonServer:
    """A server for one model repository, on ports that stay the same over restarts."""

    def __init__(self, repository: Path, scratch: Path, *, explicit: bool = False, options: tuple[str, ...] = ()) -> None:
        self.repository = repository
        self.log = scratch / "triton.log"
        self.grpc_port, self.http_port, self.metrics_port = free_port(), free_port(), free_port()
        self._explicit = explicit
        self._options = options
        self._backends = scratch / "backends"
        self._process: subprocess.Popen[bytes] | None = None
        self._shm_prefix = ""
        self._maimed = False

    @property
    def url(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self, *, wait_s: float = 60) -> None:
        """Start and wait until the server answers live; models may still be refused."""
        package = Path(_ask("import importlib.util as u; print(u.find_spec('pytriton').submodule_search_locations[0])"))
        version, libraries = _ask(
            "import sys, sysconfig; print('%d.%d' % sys.version_info[:2], sysconfig.get_config_var('LIBDIR'))"
        ).split()
        if not self._backends.exists():
            shutil.copytree(package / "tritonserver" / "backends" / "python", self._backends / "python")
            shutil.copy2(
                package / "tritonserver" / "python_backend_stubs" / version / "triton_python_backend_stub", self._backends / "python"
            )
        self._shm_prefix = f"edge{uuid.uuid4().hex[:12]}"
        command = [
            package / "tritonserver" / "bin" / "tritonserver",
            f"--model-repository={self.repository}",
            f"--backend-directory={self._backends}",
            f"--backend-config=python,shm-region-prefix-name={self._shm_prefix}",
            "--grpc-address=127.0.0.1",
            f"--grpc-port={self.grpc_port}",
            "--http-address=127.0.0.1",
            f"--http-port={self.http_port}",
            "--metrics-address=127.0.0.1",
            f"--metrics-port={self.metrics_port}",
            "--allow-gpu-metrics=false",
            "--exit-on-error=false",
            "--exit-timeout-secs=5",
            *self._options,
            *(["--model-control-mode=explicit", "--load-model=*"] if self._explicit else []),
        ]
        environment = os.environ | {
            "LD_LIBRARY_PATH": f"{libraries}:{package.parent / 'nvidia_pytriton.libs'}",
            "PATH": f"{PEER / 'bin'}:{os.environ['PATH']}",
        }
        environment.pop("PYTHONPATH", None)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, env=environment)
        deadline = time.monotonic() + wait_s
        while not self._live():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Triton did not start:\n{self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.05)

    def _live(self) -> bool:
        # ready, or refused models only: /v2/health/live answers once loading has ended
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/v2/health/live", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    @property
    def ended_by_itself(self) -> bool:
        """Whether the server was started, and is gone without having been stopped."""
        return self._process is not None and self._process.poll() is not None

    @property
    def says_live(self) -> bool:
        """Whether the server answers and its models, if any were accepted, are loaded."""
        return self._live()

    @property
    def says_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/v2/health/ready", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def reload(self, model: str) -> None:
        """Unload and load `model`, as an operator would; the server must have been made `explicit`."""
        self.unload(model)
        self._control(model, "load")

    def unload(self, model: str) -> None:
        self._control(model, "unload")

    def _control(self, model: str, step: str) -> None:
        address = f"http://127.0.0.1:{self.http_port}/v2/repository/models/{model}/{step}"
        with urllib.request.urlopen(urllib.request.Request(address, method="POST"), timeout=30) as answer:
            assert answer.status == 200

    def kill_stubs(self) -> int:
        """Kill the Python workers as a memory shortage would; the server stays. Returns how many."""
        assert self._process is not None
        stubs = [child for child in psutil.Process(self._process.pid).children(recursive=True) if "stub" in child.name()]
        for stub in stubs:
            stub.send_signal(signal.SIGKILL)
        psutil.wait_procs(stubs, timeout=5)
        self._maimed = True
        return len(stubs)

    def freeze(self) -> None:
        """Stop server and workers without closing a connection: they no longer answer."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        server = psutil.Process(self._process.pid)
        for process in (server, *server.children(recursive=True)):
            process.send_signal(number)

    def kill(self) -> None:
        """End it as kill -9 does, its workers with it."""
        if self._process is not None and self._process.poll() is None:
            self._signal(signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        """Stop the server and its workers, politely first."""
        if self._process is None:
            return
        children: list[psutil.Process] = []
        if self._process.poll() is None:
            children = psutil.Process(self._process.pid).children(recursive=True)
            # a server whose workers were killed waits for them in vain
            self._process.kill() if self._maimed else self._process.terminate()
            self._maimed = False
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for child in psutil.wait_procs(children, timeout=3)[1]:
            child.kill()
        self._process = None
        for region in Path("/dev/shm").glob(f"{self._shm_prefix}*"):
            region.unlink(missing_ok=True)


@contextmanager
def triton_serving(folder: Path, scratch: Path, *, explicit: bool = False) -> Iterator[TritonServer]:
    """A running server for the served model in `folder`; the test is skipped where Triton cannot be had."""
    if reason := why_absent():
        absent("triton", reason)
    layout(folder, scratch / "triton-repository", "python", threads=1)
    with TritonServer(scratch / "triton-repository", scratch, explicit=explicit) as running:
        yield running
