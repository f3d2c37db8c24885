"""A few short runs of the fault bench: between them every kind of fault, each run replayable by the command that its report names."""

from __future__ import annotations

import os
import sys

import pytest

from tests.conftest import absent
from tests.faults.bench.bench import Order, bench
from tests.faults.bench.faults import possible
from tests.faults.bench.report import in_words
from tests.faults.bench.script import KINDS
from tests.faults.bench.supervised import clock_library
from tests.peers import kafka, prometheus, triton

PROCESSES = ("kill_agent", "kill_decoder", "kill_broker", "kill_triton", "kill_worker", "freeze_agent", "freeze_broker", "freeze_triton")
FOLDERS = (
    "kill_agent",
    "kill_decoder",
    "unmount_folder",
    "rename_folder",
    "lock_folder",
    "lock_sample",
    "lose_events",
    "double_events",
    "burst",
)
SURROUNDINGS = ("kill_agent", "full_state", "full_data", "network_broker", "network_triton", "set_clock")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals, mounts and clocks of Linux")
SEED = int(os.environ.get("EDGE_AGENT_TEST_SEED", "7"))


def test_every_kind_of_fault_has_its_turn() -> None:
    assert {*PROCESSES, *FOLDERS, *SURROUNDINGS} == set(KINDS)


@pytest.fixture
def peers(kcat: None) -> None:
    """All that the bench needs beside Python; without root it leaves out what needs mounts and rights."""
    if reason := kafka.why_absent():
        absent("kafka", reason)
    if reason := triton.why_absent():
        absent("triton", reason)
    if reason := prometheus.why_absent("prometheus"):
        absent("prometheus", reason)
    if clock_library() is None:
        absent("libfaketime", "there is none; as root: apt-get install libfaketime")
    if os.geteuid() == 0 and set(possible()) != set(KINDS):
        absent("root", "file systems cannot be mounted here")


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("kinds", "kills"), [(PROCESSES, 6), (FOLDERS, 3), (SURROUNDINGS, 1)], ids=["processes", "folders", "surroundings"]
)
def test_nothing_is_lost_doubled_or_reordered_and_alerts_are_those_of_an_undisturbed_run(
    peers: None, kinds: tuple[str, ...], kills: int
) -> None:
    report = bench(Order(SEED, kills=kills, minutes=2.0, kinds=kinds, scale=0.3, rate=8.0, quiet_s=1.0))
    assert report["differences"] == [], in_words(report)
    assert set(report["faults"]["faults_by_kind"]) | set(report["faults"]["missed"]) == set(kinds) & set(possible())
    assert report["counts"]["alerts_undisturbed"] > 0
