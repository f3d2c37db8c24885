"""Events about episodes, topic edge.alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.core.verdict import Phase
from edge_agent.publish.cloudevent import derived_id, make_event
from edge_agent.publish.payload import Number, StreamPayload, Text, Time, utc

if TYPE_CHECKING:
    from edge_agent.core.event import Event
    from edge_agent.core.prediction import ModelIdentity
    from edge_agent.core.verdict import EpisodeChange
    from edge_agent.publish.frames import Origin

TOPIC = "edge.alerts"
TYPES = {
    Phase.OPENED: "edge.alert.opened.v1",
    Phase.UPDATED: "edge.alert.updated.v1",
    Phase.CLOSED: "edge.alert.closed.v1",
}


class Alert(StreamPayload):
    """An episode opened, changed or closed; its revisions count from 0."""

    episode: Text
    """Identifies the episode."""
    phase: Text
    """opened, updated or closed."""
    revision: int
    """0 when opened, one more with each change."""
    kind: Text
    """acquisition_change, unseen_lot, unrelated, detector_fault, degraded or undetermined."""
    confidence: Number
    """Confidence in the kind, in [0, 1]."""
    reason: Text
    """Which channel left its normal range, and by how much."""
    action: Text
    """What to do."""
    path: Text
    """The file whose frame caused this change."""
    sample: Text | None
    """The sample of the newest evidence."""
    onset_path: Text
    """The file at which the change is thought to have begun."""
    onset_frame_index: int
    """The frame within that file, from 0."""
    onset_sample: Text | None
    """The sample at the onset."""
    onset_time: Time
    """The time of that frame."""
    evidence_paths: tuple[Text, ...]
    """Files of the frames that carry the evidence."""
    evidence_frame_indices: tuple[int, ...]
    """The frames within those files."""
    model: Text
    """The model's name."""
    model_version: Text
    """The model's version."""
    model_digest: Text
    """SHA-256, hexadecimal, of the model's ONNX graph."""


def alert_abandoned(told: dict[str, Any], now_ns: int) -> Event:
    """The end of an episode whose judge was replaced while it was open; `told` is the data of its newest event."""
    changes = {
        "emitted_at": utc(now_ns),
        "phase": Phase.CLOSED.value,
        "revision": told["revision"] + 1,
        "reason": "Closed because the model, its calibration or the stream's configuration was replaced while it was open.",
    }
    payload = Alert.model_validate({**told, **changes})
    kind = TYPES[Phase.CLOSED]
    event_id = derived_id(payload.agent, payload.stream, payload.episode, payload.model_digest, kind, payload.revision)
    return make_event(event_id, kind, TOPIC, payload, payload.stream)


def alert(origin: Origin, change: EpisodeChange, model: ModelIdentity) -> Event:
    """An episode's change that the file of `origin` caused."""
    onset = change.onset
    payload = Alert(
        agent=origin.agent,
        emitted_at=utc(origin.now_ns),
        stream=origin.file.stream,
        episode=change.episode,
        phase=change.phase.value,
        revision=change.revision,
        kind=change.kind.value,
        confidence=change.confidence,
        reason=change.reason,
        action=change.action,
        path=origin.file.path,
        sample=change.evidence[-1].sample if change.evidence else onset.sample,
        onset_path=onset.path,
        onset_frame_index=onset.frame_index,
        onset_sample=onset.sample,
        onset_time=onset.at,
        evidence_paths=tuple(frame.path for frame in change.evidence),
        evidence_frame_indices=tuple(frame.frame_index for frame in change.evidence),
        model=model.name,
        model_version=model.version,
        model_digest=model.digest,
    )
    kind = TYPES[change.phase]
    event_id = derived_id(origin.agent, origin.file.stream, change.episode, model.digest, kind, change.revision)
    return make_event(event_id, kind, TOPIC, payload, origin.file.stream)
