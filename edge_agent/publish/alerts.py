"""Events about episodes, topic edge.alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.core.evidence_place import LOCAL_MAP, STRIP, evidence_place
from edge_agent.core.printable import printable
from edge_agent.core.verdict import Kind, Phase
from edge_agent.publish.cloudevent import derived_id, make_event
from edge_agent.publish.payload import Number, StreamPayload, Text, Time, utc

if TYPE_CHECKING:
    from edge_agent.core.event import Event
    from edge_agent.core.prediction import ModelIdentity
    from edge_agent.core.verdict import EpisodeChange, Mark
    from edge_agent.publish.frames import Origin

TOPIC = "edge.alerts"
TYPES = {
    Phase.OPENED: "edge.alert.opened.v1",
    Phase.UPDATED: "edge.alert.updated.v1",
    Phase.CLOSED: "edge.alert.closed.v1",
}


OPENED = TYPES[Phase.OPENED]
ALERT_TYPES = frozenset(TYPES.values())
TEST = "edge.alert.test.v1"
"""What `edge-agent doctor` sends to a command or a webhook, and to nobody else."""
NAMES = {
    Kind.ACQUISITION_CHANGE: "a change in how the frames are taken",
    Kind.UNSEEN_LOT: "a lot that the network has never seen",
    Kind.UNRELATED: "frames that show nothing the network knows",
    Kind.DETECTOR_FAULT: "a fault of the detector",
    Kind.DEGRADED: "an ensemble with members missing or stale",
    Kind.UNDETERMINED: "a change of unknown kind",
}
BEGINNINGS = {Phase.OPENED: "Alert", Phase.UPDATED: "Alert changed", Phase.CLOSED: "Alert over"}


class Alert(StreamPayload):
    """An episode opened, changed or closed; its revisions count from 0."""

    episode: Text
    """Identifies the episode."""
    phase: Text
    """opened, updated or closed; test in what `edge-agent doctor` sends to a command or a webhook."""
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
    summary: Text = ""
    """The alert in a few sentences: what, how sure, since which sample and frame, why, and what to do."""
    evidence_dir: Text | None = None
    """Folder of the evidence's pictures, relative to the agent's state directory; null when none are made. They follow the event."""
    strip: Text | None = None
    """Where the strip of evidence frames will be, relative to the state directory; null when none is made."""
    local_map: Text | None = None
    """Where the map over one evidence frame will be, relative to the state directory; null when the model serves no maps."""
    operator_marking: Text | None = None
    """acknowledged, or wrong for a false alarm, while that holds; null when nobody has said so or the kind has changed since."""
    operator: Text | None = None
    """Who said so."""
    operator_reason: Text | None = None
    """And why."""


def alert_abandoned(told: dict[str, Any], now_ns: int) -> Event:
    """The end of an episode whose judge was replaced while it was open; `told` is the data of its newest event."""
    reason = "Closed because the model, its calibration or the stream's configuration was replaced while it was open."
    return _told_again(told, now_ns, Phase.CLOSED, reason=reason)


def alert_rebased(told: dict[str, Any], now_ns: int, who: str, why: str) -> Event:
    """The end of an episode whose condition `who` made the usual one; `told` as for `alert_abandoned`."""
    return _told_again(told, now_ns, Phase.CLOSED, reason=f"Closed because {who} replaced the baseline: {why}")


def alert_marked(told: dict[str, Any], now_ns: int, mark: Mark) -> Event:
    """The same episode with an operator's word on it: closed again when it was, and updated otherwise."""
    phase = Phase.CLOSED if told["phase"] == Phase.CLOSED else Phase.UPDATED
    return _told_again(told, now_ns, phase, **_mark(mark))


def _told_again(told: dict[str, Any], now_ns: int, phase: Phase, **changes: object) -> Event:
    again = {"emitted_at": utc(now_ns), "phase": phase.value, "revision": told["revision"] + 1, **changes}
    return _event(Alert.model_validate({**told, **again}))


def _mark(mark: Mark | None) -> dict[str, str | None]:
    if mark is None:
        return {"operator_marking": None, "operator": None, "operator_reason": None}
    return {"operator_marking": mark.marking.value, "operator": mark.who, "operator_reason": mark.why}


def alert(origin: Origin, change: EpisodeChange, model: ModelIdentity, pictures: frozenset[str] = frozenset()) -> Event:
    """An episode's change that the file of `origin` caused; `pictures` are the files that will be made of its evidence."""
    onset = change.onset
    stream = origin.file.stream
    place = evidence_place(stream, change.episode)
    return _event(
        Alert(
            agent=origin.agent,
            emitted_at=utc(origin.now_ns),
            stream=stream,
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
            evidence_dir=place if pictures else None,
            strip=f"{place}/{STRIP}" if STRIP in pictures else None,
            local_map=f"{place}/{LOCAL_MAP}" if LOCAL_MAP in pictures else None,
        ).model_copy(update=_mark(change.mark))
    )


def alert_test(agent: str, stream: str, now_ns: int) -> Event:
    """An event with every field of an alert that says that it is none; its type and phase say so too."""
    payload = Alert(
        agent=agent,
        emitted_at=utc(now_ns),
        stream=stream,
        episode="test",
        phase="test",
        revision=0,
        kind=Kind.UNDETERMINED.value,
        confidence=0.0,
        reason="This is a test of where alerts go.",
        action="Nothing is to be done.",
        path="",
        sample=None,
        onset_path="",
        onset_frame_index=0,
        onset_sample=None,
        onset_time=utc(now_ns),
        evidence_paths=(),
        evidence_frame_indices=(),
        model="",
        model_version="",
        model_digest="",
        summary=f"Test: edge-agent doctor of {agent} tries where alerts go. Nothing is to be done.",
    )
    return make_event(derived_id(agent, TEST, now_ns), TEST, TOPIC, payload, stream)


def _event(payload: Alert) -> Event:
    told = payload.model_copy(update={"summary": summary(payload) + _said(payload)})
    kind = TYPES[Phase(told.phase)]
    event_id = derived_id(told.agent, told.stream, told.episode, told.model_digest, kind, told.revision)
    return make_event(event_id, kind, TOPIC, told, told.stream)


def _said(told: Alert) -> str:
    """An operator's word on it, after everything else."""
    return "" if told.operator_marking is None else f" Marked {told.operator_marking} by {told.operator}: {told.operator_reason}"


def summary(told: Alert) -> str:
    """What a person woken by the alert needs, in a few sentences."""
    name, phase = NAMES[Kind(told.kind)], Phase(told.phase)
    onset = printable(told.onset_path) + (f" (frame {told.onset_frame_index})" if told.onset_frame_index else "")
    sample = "" if told.onset_sample is None else f"sample {printable(told.onset_sample)}, "
    since = f"{sample}{onset}, {told.onset_time:%Y-%m-%d %H:%M} UTC"
    sure = "" if told.confidence is None else f" ({told.confidence:.0%} sure)"
    begin = f"{BEGINNINGS[phase]} on {told.stream} (agent {told.agent}): {name}"
    if phase is Phase.CLOSED:
        return f"{begin}, which began with {since}. {told.reason}"
    return f"{begin}{sure}, since {since}. {told.reason} What to do: {told.action}"
