"""The agent's Prometheus metrics; their names are a contract that the table in deploy/README.md repeats."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from edge_agent.core.errors import QUARANTINE_REASONS
from edge_agent.core.telemetry import Telemetry
from edge_agent.core.verdict import Cause, DriftState, Kind, Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX = "edge_agent"
OUTCOMES = ("scored", "quarantined", "companion", "repeat")
VIAS = ("event", "scan")
STAGES = ("settle", "read", "predict", "judge", "commit", "publish")
QUEUES = ("read", "predict", "judge")
MEMBER_STATES = ("answering", "missing", "stale")
PUBLISH_FAILURE_REASONS = ("unavailable", "given_up")
DIGEST_CHARACTERS = 12

STAGE_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SETTLE_BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)
# up to ln 30, the entropy of an even guess among 30 lots; ln 3 = 1.1 has its own neighbourhood
ENTROPY_BUCKETS_NATS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.4, 1.7, 2.0, 2.5, 3.0, 3.5)
INFORMATION_BUCKETS_NATS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.4)


class Metrics(Telemetry):
    """Every fact of `Telemetry` as a metric, in a registry of its own.

    A time that is not known yet, and a threshold that does not exist, are NaN, never 0: no rule can mistake them for 1970.
    What concerns a peer that is not configured (a broker, Triton) is not exported at all, so that a rule can tell "never
    answered" from "not wanted".

    Args:
        streams: names of the configured streams.
        sink: the event sink's name, `kafka` or `jsonl`.
        version: the agent's version.
        triton: whether any stream's model is served by Triton.
        alerted: further values of the label `sink`: who is told of alerts only.
    """

    def __init__(self, streams: Sequence[str], sink: str, version: str, *, triton: bool = False, alerted: Sequence[str] = ()) -> None:
        # the client writes a second gauge for every counter unless told not to
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the client leaves it unannotated
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._define_frames()
        self._define_verdicts()
        self._define_peers(broker=sink == "kafka", triton=triton)
        self._sink = sink
        self._initialise(streams, (sink, *alerted))
        self._gauge("build_info", "The agent's version; always 1.", "version").labels(version).set(1)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], label: str) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", text, (label,), buckets=buckets, registry=self.registry)

    def _define_frames(self) -> None:
        self._frames = self._counter("frames_total", "Frames and files committed, by outcome.", "stream", "outcome")
        self._samples = self._counter(
            "samples_total", "Samples begun, and one at each start; frames without a sample count none.", "stream"
        )
        self._frame_bytes = self._counter("frame_bytes_total", "Bytes of the files committed.", "stream")
        self._stage = self._histogram("stage_seconds", "Time one frame spends in a stage.", STAGE_BUCKETS_S, "stage")
        self._settle_wait = self._histogram("settle_wait_seconds", "Time from notice to settled.", SETTLE_BUCKETS_S, "stream")
        self._discovered = self._counter("discovered_total", "New or changed files noticed, by what noticed them.", "stream", "via")
        self._quarantined = self._counter(
            "quarantined_total", "Files, or frames of stacks, that could not be used, by reason.", "stream", "reason"
        )
        self._queue = self._gauge("queue_frames", "Frames that wait for a stage.", "stage")
        self._inflight = self._gauge("inflight_requests", "Inference requests under way.")
        self._watch_up = self._gauge("watch_up", "Whether the stream's folder is being watched.", "stream")
        self._watch_restarts = self._counter("watch_restarts_total", "Times the native observer was started again.", "stream")
        self._last_frame = self._gauge("last_frame_timestamp_seconds", "The last scored frame's time; NaN before the first.", "stream")

    def _define_verdicts(self) -> None:
        self._entropy = self._histogram("entropy_nats", "Entropy of the mean prediction.", ENTROPY_BUCKETS_NATS, "stream")
        self._information = self._histogram(
            "mutual_information_nats", "Mutual information between prediction and member.", INFORMATION_BUCKETS_NATS, "stream"
        )
        self._referred = self._counter("referred_total", "Frames that a person should decide.", "stream")
        self._statistic = self._gauge(
            "drift_statistic", "Evidence of change, log10 of frames between false alarms; NaN when not judged.", "stream"
        )
        self._threshold = self._gauge("drift_threshold", "The statistic's alarm level; NaN when not judged.", "stream")
        states = ", ".join(f"{number} {state}" for number, state in enumerate(DriftState))
        self._state = self._gauge("drift_state", f"The stream's standing: {states}; NaN before the first frame.", "stream")
        self._held = self._gauge("held", "Whether an operator holds the stream's predictions.", "stream")
        self._not_judged = self._counter("not_judged_total", "Frames that were scored but not judged, by reason.", "stream", "reason")
        self._alert_open = self._gauge("alert_open", "Episodes now open, by kind.", "stream", "kind")
        self._alerts = self._counter("alerts_total", "Episodes opened, by the kind they opened as.", "stream", "kind")
        self._members = self._gauge(
            "ensemble_members",
            "Ensemble members at the last frame or, if later, the last canary that found a change, by state.",
            "stream",
            "state",
        )
        self._models: dict[str, tuple[str, str, str]] = {}
        self._model = self._gauge(
            "model_info",
            f"The stream's model; version is <version>+<first {DIGEST_CHARACTERS} of the digest>.",
            "stream",
            "model",
            "version",
        )

    def _define_peers(self, *, broker: bool, triton: bool) -> None:
        self._outbox_events = self._gauge("outbox_events", "Events not yet acknowledged.")
        self._outbox_oldest = self._gauge("outbox_oldest_timestamp_seconds", "The oldest such event's time; NaN when there is none.")
        self._published = self._counter("published_total", "Events acknowledged by the sink.", "sink")
        self._publish_failures = self._counter("publish_failures_total", "Failed tries to publish, by reason.", "sink", "reason")
        self._broker: Gauge | None = None
        self._canary: Gauge | None = None
        if broker:
            self._broker = self._gauge("broker_last_success_timestamp_seconds", "When the broker last acknowledged; NaN before the first.")
            self._broker.set(math.nan)
        if triton:
            self._canary = self._gauge("triton_canary_timestamp_seconds", "When Triton's canary last gave the known answer; NaN before.")
            self._canary.set(math.nan)

    def _initialise(self, streams: Sequence[str], sinks: Sequence[str]) -> None:
        """Make every label set exist, so that a first event is a step a rate can see."""
        for stage in STAGES:
            self._stage.labels(stage)
        for queue in QUEUES:
            self._queue.labels(queue)
        for sink in sinks:
            self._published.labels(sink)
            for reason in PUBLISH_FAILURE_REASONS:
                self._publish_failures.labels(sink, reason)
        self._outbox_oldest.set(math.nan)
        for stream in streams:
            self._initialise_stream(stream)

    def _initialise_stream(self, stream: str) -> None:
        for metric in (self._samples, self._frame_bytes, self._settle_wait, self._watch_up, self._watch_restarts):
            metric.labels(stream)
        for metric in (self._entropy, self._information, self._referred, self._held):
            metric.labels(stream)
        for gauge in (self._last_frame, self._statistic, self._threshold, self._state):
            gauge.labels(stream).set(math.nan)
        for metric, values in (
            (self._frames, OUTCOMES),
            (self._discovered, VIAS),
            (self._quarantined, QUARANTINE_REASONS),
            (self._alert_open, tuple(Kind)),
            (self._alerts, tuple(Kind)),
            (self._not_judged, tuple(Cause)),
            (self._members, MEMBER_STATES),
        ):
            for value in values:
                metric.labels(stream, value)

    def exposition(self) -> bytes:
        """Everything, in Prometheus's text format 0.0.4."""
        return generate_latest(self.registry)

    def discovered(self, stream: str, via: str) -> None:
        """Count a file that was noticed."""
        self._discovered.labels(stream, via).inc()

    def settled(self, stream: str, wait_s: float) -> None:
        """Record how long a file took to settle."""
        self._settle_wait.labels(stream).observe(wait_s)

    def watch_state(self, stream: str, *, up: bool) -> None:
        """Record whether the folder is watched."""
        self._watch_up.labels(stream).set(up)

    def watch_restarted(self, stream: str) -> None:
        """Count a restart of the native observer."""
        self._watch_restarts.labels(stream).inc()

    def queue_length(self, stage: str, frames: int) -> None:
        """Record how many frames wait for `stage`."""
        self._queue.labels(stage).set(frames)

    def stage_time(self, stage: str, seconds: float) -> None:
        """Record one frame's time in `stage`."""
        self._stage.labels(stage).observe(seconds)

    def requests_in_flight(self, requests: int) -> None:
        """Record the inference requests under way."""
        self._inflight.set(requests)

    def frame_done(
        self, stream: str, outcome: str, *, size: int, at_s: float, entropy: float | None, mutual_information: float | None, referred: bool
    ) -> None:
        """Count a committed frame; only a scored one moves the time of the last frame."""
        self._frames.labels(stream, outcome).inc()
        self._frame_bytes.labels(stream).inc(size)
        if outcome == "scored":
            self._last_frame.labels(stream).set(at_s)
        if entropy is not None:
            self._entropy.labels(stream).observe(entropy)
        if mutual_information is not None:
            self._information.labels(stream).observe(mutual_information)
        if referred:
            self._referred.labels(stream).inc()

    def sample_began(self, stream: str) -> None:
        """Count a sample."""
        self._samples.labels(stream).inc()

    def quarantined(self, stream: str, reason: str) -> None:
        """Count a file, or a frame of a stack, that could not be used."""
        self._quarantined.labels(stream, reason).inc()

    def drift(self, stream: str, statistic: float | None, threshold: float | None, state: DriftState) -> None:
        """Record the judge's last verdict."""
        self._statistic.labels(stream).set(math.nan if statistic is None else statistic)
        self._threshold.labels(stream).set(math.nan if threshold is None else threshold)
        self._state.labels(stream).set(list(DriftState).index(state))

    def not_judged(self, stream: str, cause: Cause) -> None:
        """Count a frame that was not judged."""
        self._not_judged.labels(stream, cause).inc()

    def episode(self, stream: str, kind: Kind, phase: Phase) -> None:
        """Count an episode that opened."""
        if phase is Phase.OPENED:
            self._alerts.labels(stream, kind).inc()

    def open_episodes(self, stream: str, kinds: list[Kind]) -> None:
        """Record the kinds of all open episodes."""
        for kind in Kind:
            self._alert_open.labels(stream, kind).set(kinds.count(kind))

    def held(self, stream: str, *, held: bool) -> None:
        """Record whether an operator holds the stream's predictions."""
        self._held.labels(stream).set(held)

    def members(self, stream: str, answering: int, missing: int, stale: int) -> None:
        """Record how many ensemble members answered the last frame or canary, and why the others do not count."""
        for state, members in zip(MEMBER_STATES, (answering, missing, stale), strict=True):
            self._members.labels(stream, state).set(members)

    def outbox(self, events: int, oldest_s: float | None) -> None:
        """Record the backlog of unsent events."""
        self._outbox_events.set(events)
        self._outbox_oldest.set(math.nan if oldest_s is None else oldest_s)

    def published(self, sink: str, events: int, at_s: float) -> None:
        """Count acknowledged events."""
        self._published.labels(sink).inc(events)
        if self._broker is not None and sink == self._sink:
            self._broker.set(at_s)

    def publish_failed(self, sink: str, reason: str) -> None:
        """Count a failed try to publish."""
        self._publish_failures.labels(sink, reason).inc()

    def canary_answered(self, at_s: float) -> None:
        """Record a right answer; without Triton there is no canary to lose."""
        if self._canary is not None:
            self._canary.set(at_s)

    def model(self, stream: str, name: str, version: str, digest: str) -> None:
        """Record which model serves the stream; an earlier one is forgotten."""
        labels = (stream, name, f"{version}+{digest[:DIGEST_CHARACTERS]}")
        before = self._models.get(stream, labels)
        if before != labels:
            self._model.remove(*before)
        self._models[stream] = labels
        self._model.labels(*labels).set(1)
