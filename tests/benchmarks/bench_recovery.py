"""How soon a fault shows and how soon it is over: `python -m tests.benchmarks recovery` (about five minutes; FAULTS=2,3 takes some).

One agent with a real Kafka, a real Triton, a share of its own and a state disk of its own; each fault in turn, on an agent that had
nothing to do. From its beginning: seconds until /readyz is not `ok` any more. One frame then waits for HOLD_S, so that every pause between
two tries has grown to its longest. From the fault's end (the peer takes connections, the share can be listed, the disk has room):
seconds until /readyz is `ok`, until the frame that waited is scored, and until a consumer that is not ours has read it.

Targets: /readyz 5 s both ways; after broker or Triton 2 s; after the share one scan interval, 10 s. Exit code 1 when one is missed.
The agent runs without root's right to read what it may not. Needs root on Linux, Kafka, Triton and kcat.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from model_repo.serving.layout import layout
from tests.an_agent import AgentProcess, frame, until, write_frame
from tests.calibrated_model import write_calibrated_model
from tests.peers.kafka import KafkaBroker
from tests.peers.triton import TritonServer

if TYPE_CHECKING:
    from collections.abc import Callable

CHOSEN = os.environ.get("FAULTS", "")
HOLD_S = float(os.environ.get("HOLD_S", "12"))
LOOK_S = 0.02
PATIENCE_S = 60.0
READY_S, PEER_S, SHARE_S = 5.0, 2.0, 10.0
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


@dataclass(frozen=True)
class Fault:
    """How it begins, how it ends, and how soon the frame that waited must be through."""

    name: str
    begin: Callable[[], object]
    end: Callable[[], object]
    limit_s: float
    where: Callable[[], Path]
    """The folder that the frame which waits is written into."""


class Consumer:
    """kcat, which notes when it has read each frame's path."""

    def __init__(self, address: str) -> None:
        command = ["kcat", "-C", "-E", "-q", "-u", "-b", address, "-t", "edge.frames", "-o", "beginning", "-f", "%s\n"]
        impatient = {"isolation.level": "read_committed", "reconnect.backoff.ms": "20", "reconnect.backoff.max.ms": "100"}
        impatient |= {"fetch.wait.max.ms": "20", "topic.metadata.refresh.interval.ms": "1000"}
        options = [part for name, value in impatient.items() for part in ("-X", f"{name}={value}")]
        self.read: dict[str, float] = {}
        self._process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.read.setdefault(json.loads(line)["path"], time.perf_counter())

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def main() -> None:
    with ExitStack() as release:
        home = Path(release.enter_context(tempfile.TemporaryDirectory()))
        models = write_calibrated_model(home / "models")
        layout(models / "tiny", home / "served", "python", threads=1)
        triton = release.enter_context(TritonServer(home / "served", home, explicit=True))
        broker = release.enter_context(KafkaBroker(home / "broker"))
        drive, share, disk = home / "drive", home / "share", home / "disk"
        for place, size in ((drive, "64m"), (disk, "64m")):
            mount(release, place, "-t", "tmpfs", "-o", f"size={size}", "tmpfs")
        mount(release, share, "--bind", str(drive))
        tables = f'[kafka]\nbootstrap_servers = "{broker.address}"\n'
        stream = f'model.backend = "triton"\nmodel.url = "{triton.url}"\n'
        agent = AgentProcess(home / "agent", share, model_dirs=models, tables=tables, stream=stream)
        agent.config.write_text(agent.config.read_text().replace(agent.state_dir.as_posix(), (disk / "state").as_posix()))
        release.enter_context(agent)
        agent.start(preexec=without_roots_rights).ready(60)
        write_frame(share / "first.tif", frame(0))
        told = 'edge_agent_published_total{sink="kafka"}'  # that it began, and the frame: kcat ends where its topic is missing
        until(lambda: agent.metric(told) >= 2, f"the first frame in Kafka; the agent said:\n{agent.log}", 60)
        consumer = Consumer(broker.address)
        release.callback(consumer.close)
        until(lambda: "first.tif" in consumer.read, f"the first frame at the consumer; the agent said:\n{agent.log}", 60)
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; seconds\n")
        head = ("fault", "not ready", "ready again", "scored", "consumed", "target", "threads", "open files")
        print(f"{head[0]:32}" + "".join(f"{name:>13}" for name in head[1:]), flush=True)
        missed = 0
        for number, fault in enumerate(faults(home, broker, triton, share, drive, disk)):
            if not CHOSEN or str(number) in CHOSEN.split(","):
                missed += measure(fault, number, agent, consumer)
        agent.stop()
    print(f"\n{missed} figures missed their target" if missed else "\npassed: every figure met its target")
    sys.exit(bool(missed))


def faults(home: Path, broker: KafkaBroker, triton: TritonServer, share: Path, drive: Path, disk: Path) -> list[Fault]:
    away, ballast = home / "away", disk / "ballast"

    def kill_triton() -> None:
        triton_process(triton).kill()
        triton.stop()

    def kill_workers() -> None:  # kill_stubs would wait for a server that does not bury them
        for child in triton_process(triton).children(recursive=True):
            if "stub" in child.name():
                child.kill()
        triton._maimed = True

    def freeze_triton() -> None:
        triton_process(triton).suspend()

    def thaw_triton() -> None:
        triton_process(triton).resume()

    def remount() -> None:
        subprocess.run(["mount", "--bind", str(drive), str(share)], check=True)

    return [
        Fault("broker killed, started", broker.kill, broker.start, PEER_S, lambda: share),
        Fault("broker frozen, thawed", broker.freeze, broker.thaw, PEER_S, lambda: share),
        Fault("Triton killed, started", kill_triton, triton.start, PEER_S, lambda: share),
        Fault("Triton frozen, thawed", freeze_triton, thaw_triton, PEER_S, lambda: share),
        Fault("Triton's worker killed, reloaded", kill_workers, lambda: triton.reload("tiny"), PEER_S, lambda: share),
        Fault("share unmounted, mounted", lambda: subprocess.run(["umount", "--lazy", share], check=True), remount, SHARE_S, lambda: drive),
        Fault("folder renamed, renamed back", lambda: move(share, away, drive), lambda: move(away, share, drive), SHARE_S, lambda: away),
        Fault("permissions gone, back", lambda: share.chmod(0), lambda: share.chmod(0o755), SHARE_S, lambda: share),
        Fault("state disk full, freed", lambda: fill(ballast), ballast.unlink, PEER_S, lambda: share),
    ]


def move(source: Path, target: Path, drive: Path) -> None:
    """Rename a folder, which a mount point is not: the mount moves with it."""
    subprocess.run(["umount", "--lazy", str(source)], check=True)
    source.rmdir()
    target.mkdir()
    subprocess.run(["mount", "--bind", str(drive), str(target)], check=True)


def triton_process(triton: TritonServer) -> psutil.Process:
    assert triton._process is not None
    return psutil.Process(triton._process.pid)


def fill(ballast: Path) -> None:
    """Leave no byte free on the disk that holds `ballast`."""
    with ballast.open("ab", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def measure(fault: Fault, number: int, agent: AgentProcess, consumer: Consumer) -> int:
    """One fault, its row, and how many of its figures missed their target."""
    until(lambda: agent.readiness().get("status") == "ok", f"rest before {fault.name}; the agent said:\n{agent.log[-3000:]}", PATIENCE_S)
    time.sleep(3.0)  # nothing is under way any more
    name = f"waits_{number}.tif"
    began = time.perf_counter()
    fault.begin()
    unready_s = seconds(began, lambda: agent.readiness().get("status") != "ok")
    reason = [f"{part}: {told['reason']}" for part, told in agent.readiness().get("parts", {}).items() if told["state"] != "ok"]
    write_frame(fault.where() / name, frame(number + 1))
    before = scored(agent)
    time.sleep(HOLD_S)
    early = scored(agent) > before  # with the broker away frames are scored all the same
    fault.end()
    ended = time.perf_counter()
    ready_s = scored_s = consumed_s = None
    while (ready_s is None or scored_s is None or consumed_s is None) and time.perf_counter() - ended < PATIENCE_S:
        now_s = time.perf_counter() - ended
        if ready_s is None and agent.readiness().get("status") == "ok":
            ready_s = now_s
        if scored_s is None and scored(agent) > before:
            scored_s = 0.0 if early else now_s
        if consumed_s is None and name in consumer.read:
            consumed_s = consumer.read[name] - ended
        time.sleep(LOOK_S)
    process = psutil.Process(agent.pid)
    told = "".join(f"{'never' if value is None else format(value, '.2f'):>13}" for value in (unready_s, ready_s, scored_s, consumed_s))
    row = f"{fault.name:32}{told}{fault.limit_s:>13.0f}{process.num_threads():>13}{process.num_fds():>13}"
    limits = ((unready_s, READY_S), (ready_s, READY_S), (scored_s, fault.limit_s), (consumed_s, fault.limit_s))
    missed = sum(value is None or value > limit for value, limit in limits)
    print(row + (f"   missed {missed}" if missed else "") + f"\n    {'; '.join(reason)[:150]}", flush=True)
    return missed


def seconds(since: float, condition: Callable[[], bool]) -> float | None:
    while time.perf_counter() - since < PATIENCE_S:
        if condition():
            return time.perf_counter() - since
        time.sleep(LOOK_S)
    return None


def scored(agent: AgentProcess) -> float:
    return agent.metric('edge_agent_frames_total{outcome="scored",stream="sem"}')


def mount(release: ExitStack, place: Path, *what: str) -> None:
    place.mkdir()
    subprocess.run(["mount", *what, str(place)], check=True)

    def unmount() -> None:
        while os.path.ismount(place):
            subprocess.run(["umount", "--lazy", str(place)], check=True)

    release.callback(unmount)


def without_roots_rights() -> None:
    """In the child: what has no permission bits for root is closed to it as to anybody."""
    library = ctypes.CDLL(None)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        library.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


if __name__ == "__main__":
    if shutil.which("kcat") is None:
        sys.exit("there is no kcat; run tests/peers/install.sh prometheus")
    main()
