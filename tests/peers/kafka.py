"""A real Kafka broker, one KRaft node on loopback, that a test can stop, kill and start again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

PEER = Path(os.environ.get("EDGE_AGENT_PEERS", Path.home() / ".cache" / "edge-agent-peers")) / "kafka"

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}{listeners}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}{advertised}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}
log.dirs={data}
num.partitions=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
auto.create.topics.enable=true
{extra}
"""


def why_absent() -> str | None:
    """Why no broker can be started here; None when it can."""
    if not (PEER / "installed").exists():
        return f"{PEER} is missing; run tests/peers/install.sh kafka"
    return None if shutil.which("java") else "there is no java; run tests/peers/install.sh kafka"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Record:
    """A record as kcat, which is not ours, reads it."""

    topic: str
    key: str
    headers: dict[str, str]
    value: Any


class KafkaBroker:
    """A broker whose ports and data stay the same over restarts.

    Args:
        folder: for its data and its log.
        extra: more properties.
        listeners: security protocol and port of further listeners by name, reached as localhost.
        scram: passwords by user, for SCRAM-SHA-256 and SCRAM-SHA-512.
        java: options of the Java machine.
    """

    def __init__(
        self,
        folder: Path,
        extra: str = "",
        *,
        listeners: Mapping[str, tuple[str, int]] | None = None,
        scram: Mapping[str, str] | None = None,
        java: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        self.port, self.controller_port = free_port(), free_port()
        self._extra = extra
        self._listeners = dict(listeners or {})
        self._scram = dict(scram or {})
        self._options = java
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

    def start(self) -> None:
        """Start the broker, format its folder before the first time, and wait until it takes connections."""
        properties = self.folder / "server.properties"
        if not properties.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            data = self.folder / "data"
            properties.write_text(
                PROPERTIES.format(
                    port=self.port,
                    controller_port=self.controller_port,
                    data=data.as_posix(),
                    extra=self._extra,
                    listeners="".join(f",{name.upper()}://127.0.0.1:{port}" for name, (_, port) in self._listeners.items()),
                    advertised="".join(f",{name.upper()}://localhost:{port}" for name, (_, port) in self._listeners.items()),
                    protocols="".join(f",{name.upper()}:{protocol}" for name, (protocol, _) in self._listeners.items()),
                )
            )
            cluster = uuid.uuid4().hex[:22]
            format_command = [*self._java(), "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)]
            for user, password in self._scram.items():
                for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
                    format_command += ["--add-scram", f"{mechanism}=[name={user},password={password}]"]
            subprocess.run(format_command, check=True, capture_output=True)
        log = self.folder / "broker.log"
        with log.open("ab") as out:
            self._process = subprocess.Popen([*self._java(), "kafka.Kafka", str(properties)], stdout=out, stderr=out)
        deadline = time.monotonic() + 60
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"Kafka did not start:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Shut the broker down in order."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def kill(self) -> None:
        """End it as kill -9 does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop the broker's process without closing a connection: it no longer answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def read(self, topic: str, *, committed: bool = True, at: str | None = None, options: Mapping[str, str] | None = None) -> list[Record]:
        """Everything in `topic`, in order within a partition, as kcat reads it; `at` another address, with librdkafka's `options`."""
        level = "read_committed" if committed else "read_uncommitted"
        command = ["kcat", "-C", "-q", "-e", "-J", "-b", at or self.address, "-t", topic, "-o", "beginning"]
        for option, value in {"isolation.level": level, **(options or {})}.items():
            command += ["-X", f"{option}={value}"]
        lines = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout.splitlines()
        records = []
        for line in lines:
            record = json.loads(line)
            flat = record.get("headers") or []
            headers = dict(zip(flat[::2], flat[1::2], strict=True))
            records.append(Record(record["topic"], record["key"], headers, json.loads(record["payload"])))
        return records

    def _java(self) -> list[str]:
        return ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *self._options, "-cp", f"{PEER}/*"]

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False
