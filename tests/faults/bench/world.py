"""The agent and everything around it: disks, broker, Triton, Prometheus, the networks between them, the microscope."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import subprocess
from typing import TYPE_CHECKING, Self

from model_repo.serving.layout import layout
from tests.an_agent import until
from tests.faults.bench.consumer import Consumer
from tests.faults.bench.microscope import Microscope
from tests.faults.bench.proxy import Proxy
from tests.faults.bench.readiness import Readiness
from tests.faults.bench.supervised import NOBODY, Supervised, may_be_nobody
from tests.peers.kafka import KafkaBroker
from tests.peers.prometheus import PrometheusServer
from tests.peers.triton import TritonServer

if TYPE_CHECKING:
    from pathlib import Path

AGENT = "bench"
ROOMY = "4g"
LISTENERS = """
listeners=PLAINTEXT://127.0.0.1:{port},CLIENT://127.0.0.1:{client_port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CLIENT://127.0.0.1:{proxy_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
"""
"""The agent reaches the broker through a proxy; the broker reaches itself, and the checker's consumer reaches it, without."""


PORTS = range(15_000, 30_000)
"""Below those that systems give to outgoing connections: a peer that is away for a while must find its port free again."""


def lasting_port() -> int:
    """A free port that no outgoing connection will take."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def may_mount() -> bool:
    """Whether file systems can be mounted here."""
    return os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0


def run(*command: str) -> None:
    """Run a command that must succeed."""
    subprocess.run(command, check=True, capture_output=True)


class Disk:
    """A file system of its own, which can be full and have room again."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def mount(self) -> None:
        """Make it."""
        run("mount", "-t", "tmpfs", "-o", f"size={ROOMY},mode=755", "tmpfs", str(self.place))

    def fill(self, left_bytes: int = 0) -> None:
        """Leave so many bytes."""
        for more in range(0, 1 << 20, 1 << 16):  # whoever writes meanwhile takes what was counted as left
            state = os.statvfs(self.place)
            used = (state.f_blocks - state.f_bfree) * state.f_frsize
            resized = subprocess.run(
                ["mount", "-o", f"remount,size={used + left_bytes + more}", str(self.place)], capture_output=True, check=False
            )
            if resized.returncode == 0:
                return
        raise RuntimeError(f"{self.place} cannot be filled: {resized.stderr!r}")

    def empty(self) -> None:
        """Make room."""
        run("mount", "-o", f"remount,size={ROOMY}", str(self.place))


class World:
    """Everything, running while it is entered.

    Args:
        base: an empty folder that any user may enter.
        models: holds the calibrated model `tiny`.
        seed: for microscope and networks.
        rate: frames a second.
    """

    def __init__(self, base: Path, models: Path, seed: int, rate: float) -> None:
        self.base = base
        self.mounts = may_mount()
        self.data, self.instrument, self.state = base / "data", base / "instrument", base / "state"
        for place in (self.data, self.instrument, self.state, base / "triton"):
            place.mkdir()
        self.data_disk, self.state_disk = Disk(self.data), Disk(self.state)
        self._models = models
        client_port, self.broker_proxy_port = lasting_port(), lasting_port()
        self.broker = KafkaBroker(base / "kafka")
        self.broker.port, self.broker.controller_port = lasting_port(), lasting_port()
        self.broker._extra = LISTENERS.format(
            port=self.broker.port, client_port=client_port, controller_port=self.broker.controller_port, proxy_port=self.broker_proxy_port
        )
        layout(models / "tiny", base / "triton" / "repository", "python", threads=1)
        self.consumer = Consumer(base / "consumer", self.broker)
        self.triton = TritonServer(base / "triton" / "repository", base / "triton", explicit=True)
        self.triton.grpc_port, self.triton.http_port, self.triton.metrics_port = lasting_port(), lasting_port(), lasting_port()
        self.to_broker = Proxy(self.broker_proxy_port, client_port, seed)
        self.to_triton = Proxy(lasting_port(), self.triton.grpc_port, seed + 1)
        self.http_port = lasting_port()
        self.readiness = Readiness(self.url)
        self.images = self.data / "images"
        """The folder as the agent knows it."""
        self.state_dir = self.state / "agent"
        self.config = base / "edge-agent.toml"
        self.agent = Supervised(base, self.config, self.state_dir)
        folder = (self.instrument if self.mounts else self.data) / "images"
        self.microscope = Microscope(folder, seed, rate, self.agent.is_judged)
        self.prometheus = PrometheusServer(
            base / "prometheus",
            [{"job_name": "edge-agent", "static_configs": [{"targets": [f"127.0.0.1:{self.http_port}"]}]}],
            interval="1s",
        )
        self.prometheus.port = lasting_port()
        self.prometheus.url = f"http://127.0.0.1:{self.prometheus.port}"
        self._ends = contextlib.ExitStack()

    @property
    def url(self) -> str:
        """Where the agent serves metrics and health."""
        return f"http://127.0.0.1:{self.http_port}"

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as ends:
            if self.mounts:
                for disk in (self.data_disk, self.state_disk):
                    disk.mount()
                    ends.callback(unmount, disk.place)
                run("mount", "--bind", str(self.data), str(self.instrument))
                ends.callback(unmount, self.instrument)
            self.microscope.folder.mkdir()
            self.state_dir.mkdir(mode=0o700)
            if may_be_nobody():
                os.chown(self.state_dir, NOBODY, NOBODY)
            self._configure()
            ends.callback(self.broker.kill)
            self.start_broker()
            ends.callback(self.triton.stop)
            self.triton.start()
            ends.enter_context(self.to_broker)
            ends.enter_context(self.to_triton)
            ends.enter_context(self.prometheus)
            ends.callback(self.agent.stop, 1.0)
            self.agent.start()
            ends.enter_context(self.readiness)
            self._ends = ends.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def read_along(self) -> None:
        """Have the consumer read from now on: the agent has made its topics."""
        self._ends.enter_context(self.consumer)

    def start_broker(self) -> None:
        """Start the broker and wait until it leads its partitions: it takes connections seconds earlier."""
        self.broker.start()
        command = ["kcat", "-L", "-J", "-m", "2", "-b", self.broker.address]

        def leads() -> bool:
            told = subprocess.run(command, capture_output=True, check=False)
            if told.returncode:
                return False
            seen = json.loads(told.stdout)
            return bool(seen["brokers"]) and all(one["leader"] >= 0 for topic in seen["topics"] for one in topic["partitions"])

        until(leads, "the broker to lead its partitions", 60)

    def _configure(self) -> None:
        self.config.write_text(
            f'[agent]\nname = "{AGENT}"\nstate_dir = "{self.state_dir}"\nmodel_dirs = ["{self._models}"]\nheartbeat = 5\nthreads = 1\n'
            f'[http]\nlisten = "127.0.0.1:{self.http_port}"\n[log]\nformat = "json"\n'
            f'[kafka]\nbootstrap_servers = "127.0.0.1:{self.broker_proxy_port}"\n'
            f'[[stream]]\nname = "sem"\npath = "{self.images}"\nstart = "beginning"\n'
            "settle = 0.3\nsettle_timeout_s = 8\nscan_interval_s = 2\n"
            f'model.name = "tiny"\nmodel.backend = "triton"\nmodel.url = "127.0.0.1:{self.to_triton.port}"\n'
        )


def unmount(place: Path) -> None:
    """Whatever is mounted there is not any more, once nobody uses it."""
    while os.path.ismount(place):
        run("umount", "--lazy", str(place))
