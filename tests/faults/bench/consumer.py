"""A consumer that reads along from the first event to the last, through every fault of the broker; kcat, which is not ours."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

    from tests.peers.kafka import KafkaBroker

TOPICS = ("edge.frames", "edge.alerts", "edge.agents", "edge.baselines")
BEHIND_S = 30.0
"""How long it may take to read the last events."""


class Consumer:
    """Reads every topic from its beginning, only what is committed, into one file each; the topics must be there."""

    def __init__(self, folder: Path, broker: KafkaBroker) -> None:
        self._folder = folder
        self._broker = broker
        self._readers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._folder.mkdir()
        for topic in TOPICS:
            with (self._folder / topic).open("wb") as out, (self._folder / f"{topic}.log").open("wb") as log:
                self._readers.append(subprocess.Popen([*self._command(topic), "-u", "-E"], stdout=out, stderr=log))
        return self

    def __exit__(self, *_: object) -> None:
        for reader in self._readers:
            reader.kill()
            reader.wait()

    def lines(self) -> dict[str, list[bytes]]:
        """What it has read of each topic once it has read as much as is there."""
        there = {topic: subprocess.run([*self._command(topic), "-e"], check=True, capture_output=True).stdout for topic in TOPICS}
        deadline = time.monotonic() + BEHIND_S
        while True:
            read = {topic: (self._folder / topic).read_bytes() for topic in TOPICS}
            if all(len(read[topic]) >= len(there[topic]) for topic in TOPICS) or time.monotonic() > deadline:
                return {topic: text.split(b"\n")[:-1] for topic, text in read.items()}
            time.sleep(0.2)

    def _command(self, topic: str) -> list[str]:
        reads = ["kcat", "-C", "-q", "-J", "-b", self._broker.address, "-t", topic, "-o", "beginning"]
        return [*reads, "-X", "isolation.level=read_committed"]
