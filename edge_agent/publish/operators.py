"""Events about what an operator ordered, topic edge.baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.publish.cloudevent import derived_id, make_event
from edge_agent.publish.payload import StreamPayload, Text, Time, utc

if TYPE_CHECKING:
    from edge_agent.core.event import Event

TOPIC = "edge.baselines"
BASELINE = "edge.baseline.changed.v1"
HOLD = "edge.hold.changed.v1"


class BaselineChanged(StreamPayload):
    """An operator acknowledged an episode, re-based a stream or restored a baseline; or a provisional baseline was confirmed."""

    order_id: Text
    """Identifies the operator's order."""
    change: Text
    """acknowledged (the baseline stays), rebased, restored or confirmed."""
    operator: Text
    """Who ordered it; edge-agent for confirmed."""
    reason: Text
    """Why."""
    old_baseline: Text
    """The baseline in force before: the first 16 digits of its calibration's SHA-256."""
    new_baseline: Text
    """The one in force now."""
    samples: int | None
    """Samples the new baseline was estimated from, beside the calibration; null when it is the calibration itself."""
    provisional: bool
    """Whether the new baseline is yet to be confirmed by further samples without an alarm."""
    episode: Text | None
    """The episode that was acknowledged, or that a re-base closed."""


class HoldChanged(StreamPayload):
    """An operator holds a stream's predictions, or releases them; a hold that was set for a time ends by itself."""

    order_id: Text
    """Identifies the operator's order."""
    held: bool
    """Whether the predictions are held from now on."""
    operator: Text
    """Who ordered it; edge-agent when the time set for it was over."""
    reason: Text
    """Why."""
    until: Time | None
    """When the hold ends by itself; null when it has to be released."""


def baseline_changed(
    agent: str,
    stream: str,
    now_ns: int,
    *,
    order_id: str,
    change: str,
    operator: str,
    reason: str,
    baselines: tuple[str, str],
    samples: int | None,
    provisional: bool,
    episode: str | None,
) -> Event:
    """A stream's baseline changed from the first to the second of `baselines`; one event a change, episode and order."""
    payload = BaselineChanged(
        agent=agent,
        emitted_at=utc(now_ns),
        stream=stream,
        order_id=order_id,
        change=change,
        operator=operator,
        reason=reason,
        old_baseline=baselines[0],
        new_baseline=baselines[1],
        samples=samples,
        provisional=provisional,
        episode=episode,
    )
    return make_event(derived_id(agent, stream, BASELINE, order_id, change, episode or ""), BASELINE, TOPIC, payload, stream)


def hold_changed(
    agent: str, stream: str, now_ns: int, *, order_id: str, held: bool, operator: str, reason: str, until_ns: int | None
) -> Event:
    """A stream's predictions are held, or no longer."""
    payload = HoldChanged(
        agent=agent,
        emitted_at=utc(now_ns),
        stream=stream,
        order_id=order_id,
        held=held,
        operator=operator,
        reason=reason,
        until=None if until_ns is None else utc(until_ns),
    )
    return make_event(derived_id(agent, stream, HOLD, order_id), HOLD, TOPIC, payload, stream)
