"""The broker, by a transaction of its own on a scratch topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.agent.broker import broker_settings
from edge_agent.agent.examination.finding import fine, mend, note
from edge_agent.publish import try_transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.agent.examination.finding import Finding
    from edge_agent.config import Settings

PART = "events"
SKEW_S = 2.0


def events(settings: Settings) -> Iterator[Finding]:
    """Where events go, and whether they are taken there."""
    broker = broker_settings(settings)
    if broker is None:
        yield fine(PART, f"JSON Lines in {settings.agent.place / 'events'}")
        return
    tried = try_transaction(broker)
    speaks = f"Kafka at {broker.address} ({broker.security_protocol})"
    if tried.denied:
        yield note(
            PART,
            f"{speaks} answers, but its access rules refuse the trial ({tried.denied}): allow topic {tried.topic} and "
            f"transactional ids that begin with {broker.transactional_id}, or take the rights below for an answer",
        )
    else:
        left = f"; topic {tried.topic} stays there" if tried.left else f", and deleted topic {tried.topic} again"
        yield fine(PART, f"{speaks} committed a transaction and gave it back{left}")
    for right in tried.forbidden:
        yield mend(PART, f"the broker's access rules do not let this agent {right}; allow it")
    names = broker.topics
    wanted = (names.frames, names.alerts, names.agents, names.baselines, names.cursors)
    if missing := [name for name in wanted if name not in tried.existing]:
        yield note(PART, f"not there yet: {', '.join(missing)}; the agent makes them, or whoever may")
    if tried.ahead_s is not None:
        yield _clock(tried.ahead_s)


def _clock(ahead_s: float) -> Finding:
    if abs(ahead_s) <= SKEW_S:
        return fine("clock", "this machine's and the broker's agree")
    side = "ahead of" if ahead_s > 0 else "behind"
    return mend("clock", f"the broker's is {abs(ahead_s):.0f} s {side} this machine's; let both follow one time server (NTP)")
