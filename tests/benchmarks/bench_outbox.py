"""What the journal and the outbox cost: `python -m tests.benchmarks.bench_outbox` starts a real broker and prints a table.

Ratios within one run mean more than the figures, which depend on the machine's disk and on what else it does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

from kafka import KafkaConsumer

from edge_agent.core.clock import SystemClock
from edge_agent.core.event import Event
from edge_agent.core.frame import FileIdentity, SettledFile, SettleOutcome
from edge_agent.core.telemetry import NoTelemetry
from edge_agent.journal import Commit, FinishedFile, FrameRecord, Journal, Outcome
from edge_agent.publish import JsonLinesSink, KafkaSettings, KafkaSink, Publisher
from tests.peers.kafka import KafkaBroker, why_absent

FRAME_EVENT_BYTES = 1_600
BULK = 20_000
SINGLES = 300


def event(number: int) -> Event:
    data = b'{"number": %d, "fill": "%s"}' % (number, b"x" * FRAME_EVENT_BYTES)
    return Event(
        f"{number:036d}", "edge.frame.scored.v1", "/edge-agent/bench", "sem", "2026-01-01T00:00:00Z", "edge.frames", "bench/sem", data
    )


def show(what: str, value: float, unit: str) -> None:
    print(f"{what:<58} {value:>12,.2f} {unit}")


def fsync_ms(folder: Path) -> float:
    """Median of a bare 4 KiB append with fsync."""
    times = []
    with (folder / "fsync").open("ab", buffering=0) as file:
        for _ in range(200):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


async def commit_ms(journal: Journal, files: int, first: int) -> float:
    """Median of committing `files` one-frame files together."""
    times = []
    for turn in range(100):
        names = [f"{files}/{turn}-{number}.tif" for number in range(files)]
        settled = [SettledFile(FileIdentity("sem", name, 1, 1), SettleOutcome.COMPLETE, 1) for name in names]
        done = []
        for admission in await journal.admit(settled):
            made = event(first)
            done.append(FinishedFile(admission, Outcome.SCORED, 0, (FrameRecord(0, "c" * 64, made.id, made.data, ((0.5,) * 4,) * 3),)))
        events = tuple(event(first) for _ in done)
        began = time.perf_counter()
        await journal.commit(Commit(tuple(done), {"sem": "s" * 4000}, events))
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


@contextlib.asynccontextmanager
async def publishing(journal: Journal, sink: KafkaSink | JsonLinesSink):
    publisher = Publisher(journal, sink, SystemClock(), NoTelemetry())
    task = asyncio.create_task(publisher.run())
    publisher.wake()
    await publisher.drained()
    yield publisher
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await sink.close()


async def rows_per_second(journal: Journal, publisher: Publisher) -> float:
    await journal.append([event(number) for number in range(BULK)])
    began = time.perf_counter()
    publisher.wake()
    await publisher.drained()
    return BULK / (time.perf_counter() - began)


class Reader:
    """A read-committed consumer in a thread of its own; notes when each event can be read."""

    def __init__(self, address: str) -> None:
        self.seen: dict[str, float] = {}
        self.ready, self.stop, self.has_all = threading.Event(), threading.Event(), threading.Event()
        self._address = address
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        consumer = KafkaConsumer(
            "edge.frames", bootstrap_servers=self._address, isolation_level="read_committed", group_id=None, fetch_max_wait_ms=5
        )
        while not consumer.assignment():
            consumer.poll(timeout_ms=50)
        for partition in consumer.assignment():
            consumer.position(partition)
        self.ready.set()
        while not self.stop.is_set():
            for records in consumer.poll(timeout_ms=20).values():
                now = time.perf_counter()
                self.seen.update({dict(record.headers)["ce_id"].decode(): now for record in records})
            if len(self.seen) >= SINGLES:
                self.has_all.set()
        consumer.close()

    def __enter__(self) -> Self:
        self._thread.start()
        self.ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join()


async def readable_ms(journal: Journal, publisher: Publisher, address: str) -> list[float]:
    """Milliseconds from the end of a commit to its event's arrival at a read-committed consumer, ascending."""
    committed: dict[str, float] = {}
    with Reader(address) as reader:
        for number in range(10**6, 10**6 + SINGLES):
            made = event(number)
            await journal.append([made])
            committed[made.id] = time.perf_counter()
            publisher.wake()
            await asyncio.sleep(0.02)
        await publisher.drained()
        await asyncio.to_thread(reader.has_all.wait, 10)
        return sorted((reader.seen[name] - moment) * 1000 for name, moment in committed.items())


async def run(folder: Path) -> None:
    bare_ms = fsync_ms(folder)
    show("bare 4 KiB append with fsync, median", bare_ms, "ms")
    journal = await Journal.open(folder / "jsonl", clock=SystemClock())
    for files in (1, 16, 64):
        took_ms = await commit_ms(journal, files, files)
        show(f"commit of {files} one-frame files, median", took_ms, f"ms ({took_ms / files:.2f} a frame, {took_ms / bare_ms:.1f} fsyncs)")
    async with publishing(journal, JsonLinesSink(folder / "events")) as publisher:
        show("outbox to JSON Lines", await rows_per_second(journal, publisher), "events/s")
    await journal.close()
    if reason := why_absent():
        print(f"Kafka: not measured, {reason}")
        return
    with KafkaBroker(folder / "broker") as broker:
        journal = await Journal.open(folder / "kafka", clock=SystemClock())
        async with publishing(journal, KafkaSink(KafkaSettings("bench", (broker.address,)))) as publisher:
            show("outbox to Kafka", await rows_per_second(journal, publisher), "events/s")
            latencies = await readable_ms(journal, publisher, broker.address)
            show("committed -> readable by a read-committed consumer, p50", latencies[len(latencies) // 2], "ms")
            show("committed -> readable by a read-committed consumer, p99", latencies[int(len(latencies) * 0.99)], "ms")
        await journal.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(run(Path(scratch)))
