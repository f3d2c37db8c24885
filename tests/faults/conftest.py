"""What fault tests may ill-treat: a broker, a small disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import absent
from tests.peers.kafka import KafkaBroker, why_absent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def own_broker(tmp_path: Path, kcat: None) -> Iterator[KafkaBroker]:
    """A broker that the test may stop; not started yet."""
    if reason := why_absent():
        absent("kafka", reason)
    broker = KafkaBroker(tmp_path / "broker")
    try:
        yield broker
    finally:
        broker.kill()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own that a test may fill or take away."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None:
        absent("root", "a small disk can be mounted by root on Linux only")
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], capture_output=True, text=True, check=False)
    if mounted.returncode:
        absent("root", f"mounting is not permitted: {mounted.stderr.strip()}")
    yield place
    while os.path.ismount(place):
        subprocess.run(["umount", "--lazy", str(place)], check=True)
