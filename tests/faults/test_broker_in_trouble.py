"""A broker that is away: frames are judged all the same, /readyz says what is the matter, and every event arrives once when it is back."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.an_agent import AgentProcess, frame, until, write_frame

if TYPE_CHECKING:
    from pathlib import Path

    from tests.peers.kafka import KafkaBroker

IMPATIENT = """
from edge_agent.agent import agent
agent.ONCE_PATIENCE_S = 6.0
"""


def on(broker: KafkaBroker, tmp_path: Path, models: Path) -> AgentProcess:
    tables = f'[kafka]\nbootstrap_servers = "{broker.address}"\n'
    return AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models, tables=tables)


def scored(agent: AgentProcess) -> float:
    return agent.metric('edge_agent_frames_total{outcome="scored",stream="sem"}')


def write(agent: AgentProcess, numbers: range) -> None:
    for number in numbers:
        write_frame(agent.watched / f"{number:03d}.tif", frame(number))


def arrived(broker: KafkaBroker) -> Counter[str]:
    return Counter(record.value["path"] for record in broker.read("edge.frames"))


def each_once(numbers: range) -> Counter[str]:
    return Counter(f"{number:03d}.tif" for number in numbers)


def test_a_broker_away_from_the_start_and_again_midway(tmp_path: Path, models: Path, own_broker: KafkaBroker) -> None:
    with on(own_broker, tmp_path, models).start() as agent:
        agent.ready()
        write(agent, range(20))
        until(lambda: scored(agent) == 20, f"frames scored without a broker; the agent said:\n{agent.log}")
        agent.unready("events", saying=own_broker.address)
        assert agent.readiness()["status"] == "degraded"
        assert agent.readiness()["ready"] is True, "frames are judged: the agent does its work"

        own_broker.start()
        until(lambda: agent.readiness()["status"] == "ok", f"the broker to be found; the agent said:\n{agent.log}")
        until(lambda: arrived(own_broker) == each_once(range(20)), "the events that waited")

        own_broker.kill()
        write(agent, range(20, 40))
        until(lambda: scored(agent) == 40, f"frames scored meanwhile; the agent said:\n{agent.log}")
        agent.unready("events", saying=own_broker.address, timeout_s=60)
        own_broker.start()
        until(lambda: agent.readiness()["status"] == "ok", f"the broker to be found again; the agent said:\n{agent.log}", 60)
        assert agent.stop() == 0
    assert arrived(own_broker) == each_once(range(40))
    kinds = Counter(event.headers["ce_type"] for event in own_broker.read("edge.agents"))
    assert kinds == {"edge.agent.started.v1": 1, "edge.agent.stopped.v1": 1}


def test_once_without_its_broker_ends_with_75_and_loses_nothing(tmp_path: Path, models: Path, own_broker: KafkaBroker) -> None:
    agent = on(own_broker, tmp_path, models)
    write(agent, range(10))
    assert agent.run_once(first=IMPATIENT) == 75
    last = agent.log.strip().splitlines()[-1]
    assert own_broker.address in last
    assert "nothing is lost" in last
    assert "Traceback" not in agent.log
    own_broker.start()
    assert agent.run_once() == 0, agent.log
    assert arrived(own_broker) == each_once(range(10))
