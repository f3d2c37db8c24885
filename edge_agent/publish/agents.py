"""The agent's life signs, topic edge.agents; heartbeats keep event time moving when nothing is imaged."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from edge_agent import __version__
from edge_agent.publish.cloudevent import derived_id, make_event
from edge_agent.publish.payload import Payload, StreamPayload, Text, utc

if TYPE_CHECKING:
    from edge_agent.core.event import Event

TOPIC = "edge.agents"
STARTED = "edge.agent.started.v1"
HEARTBEAT = "edge.agent.heartbeat.v1"
STOPPED = "edge.agent.stopped.v1"


class AgentStarted(Payload):
    """An agent began to work."""

    version: Text
    """edge-agent's version."""
    python_version: Text
    """The Python it runs on."""
    operating_system: Text
    """The operating system it runs on."""
    guarantee: Text
    """What false-alarm rate is promised, or why none can be."""


class AgentHeartbeat(StreamPayload):
    """An agent lives."""

    version: Text
    """edge-agent's version."""
    state: Text
    """ok, degraded or unready, as at /readyz."""
    reason: Text
    """What is not well; empty when all is."""


class AgentStopped(Payload):
    """An agent ended in order."""

    version: Text
    """edge-agent's version."""
    reason: Text
    """Why it ended."""


def agent_started(agent: str, now_ns: int, guarantee: str) -> Event:
    """The agent began to work."""
    payload = AgentStarted(
        agent=agent,
        emitted_at=utc(now_ns),
        version=__version__,
        python_version=platform.python_version(),
        operating_system=platform.platform(),
        guarantee=guarantee,
    )
    return make_event(derived_id(agent, STARTED, now_ns), STARTED, TOPIC, payload, None)


def agent_heartbeat(agent: str, stream: str, now_ns: int, state: str, reason: str) -> Event:
    """The agent lives; told once a stream, because event time moves stream by stream."""
    payload = AgentHeartbeat(agent=agent, emitted_at=utc(now_ns), stream=stream, version=__version__, state=state, reason=reason)
    return make_event(derived_id(agent, stream, HEARTBEAT, now_ns), HEARTBEAT, TOPIC, payload, stream)


def agent_stopped(agent: str, now_ns: int, reason: str) -> Event:
    """The agent ended in order."""
    payload = AgentStopped(agent=agent, emitted_at=utc(now_ns), version=__version__, reason=reason)
    return make_event(derived_id(agent, STOPPED, now_ns), STOPPED, TOPIC, payload, None)
