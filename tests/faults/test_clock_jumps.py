"""The computer's clock is set while the agent works: frames settle, keep their order and are told once all the same."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.an_agent import AgentProcess, frame, until, write_frame
from tests.conftest import absent
from tests.faults.bench.supervised import SLEEP_UNDER_FAKETIME
from tests.faults.seen import paths, quarantined

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.peers.kafka import KafkaBroker

HOUR_S = 3600


@pytest.fixture
def libfaketime() -> str:
    """The path of the library that gives a process its own clock."""
    found = [path for name in ("libfaketimeMT.so.1", "libfaketime.so.1") for path in Path("/usr/lib").glob(f"**/faketime/{name}")]
    if not found:
        absent("libfaketime", "there is none; as root: apt-get install libfaketime")
    return str(found[0])


@pytest.fixture
def set_clock(tmp_path: Path, libfaketime: str) -> Callable[[int], dict[str, str]]:
    """Sets the agent's clock so many seconds off the true one; gives the environment in which that is so."""
    offset = tmp_path / "clock"

    def change(seconds: int) -> dict[str, str]:
        partial = offset.with_suffix(".part")
        partial.write_text(f"{seconds:+d}s\n")
        partial.replace(offset)
        return {
            "LD_PRELOAD": libfaketime,
            "FAKETIME_TIMESTAMP_FILE": str(offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # a clock that is set leaves the monotonic one alone
            "FAKETIME_DONT_RESET": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # it is for old C libraries; with ours Python's threads would starve each other
            "NO_FAKE_STAT": "1",
        }

    return change


@pytest.mark.parametrize("observer", ["native", "polling"])
def test_a_clock_that_is_set_back_and_forth_disturbs_nothing(
    tmp_path: Path, models: Path, set_clock: Callable[[int], dict[str, str]], observer: str
) -> None:
    stream = f'observer = "{observer}"'
    agent = AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models, stream=stream)
    names = []
    with agent.start(environment=set_clock(0)):
        agent.ready()
        for jump, offset_s in enumerate((0, -HOUR_S, 60 * HOUR_S, -30 * 24 * HOUR_S, 0)):
            set_clock(offset_s)
            batch = [f"{jump}/{number}.tif" for number in range(4)]
            names += batch
            written_s = time.time() + offset_s
            for number, name in enumerate(batch):  # files carry the clock's time
                path = write_frame(tmp_path / "elsewhere" / name, frame(len(names) + number))
                os.utime(path, (written_s + number, written_s + number))
                (agent.watched / name).parent.mkdir(exist_ok=True)
                path.rename(agent.watched / name)
            os.utime(agent.watched / str(jump), (written_s, written_s))
            wanted = len(names)
            until(lambda wanted=wanted: len(paths(agent)) >= wanted, f"the frames after jump {jump}; the agent said:\n{agent.log}", 10)
            year_day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + offset_s))
            assert agent.events("scored")[-1]["time"].startswith(year_day), "the agent's clock was set"
        assert agent.readiness()["status"] == "ok"
        assert agent.stop() == 0, agent.log
    assert sorted(paths(agent)) == names
    assert [path[0] for path in paths(agent)] == [name[0] for name in names], "in the order in which they came"
    assert quarantined(agent) == {}
    sequence = [int(event["sequence"]) for event in agent.events()]
    assert sequence == sorted(sequence), "lines are appended in order whatever the day"
    assert agent.run_once() == 0, agent.log
    assert len(paths(agent)) == len(names), "nothing is told twice by the clock's present time"


def test_a_clock_that_is_days_ahead_keeps_no_event_from_the_broker(
    tmp_path: Path, models: Path, set_clock: Callable[[int], dict[str, str]], own_broker: KafkaBroker
) -> None:
    own_broker.start()
    tables = f'[kafka]\nbootstrap_servers = "{own_broker.address}"\n'
    with AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models, tables=tables) as agent:
        for number in range(3):
            write_frame(agent.watched / f"{number}.tif", frame(number))
        assert agent.run_once(environment=set_clock(60 * HOUR_S), first=SLEEP_UNDER_FAKETIME) == 0, agent.log
    arrived = [record.value for record in own_broker.read("edge.frames")]
    assert sorted(event["path"] for event in arrived) == ["0.tif", "1.tif", "2.tif"]
    ahead = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 60 * HOUR_S))
    assert {event["emitted_at"][:10] for event in arrived} == {ahead}, "what an event says of its time is the instrument's word"
