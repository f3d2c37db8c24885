"""What the parts tell about themselves; edge_agent.observe turns it into Prometheus metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_agent.core.verdict import Cause, DriftState, Kind, Phase


class Telemetry:
    """One method a fact; every call is cheap and never raises. This base keeps nothing: whoever wants to know overrides."""

    def discovered(self, stream: str, via: str) -> None:
        """A new or changed file was noticed; `via` is event or scan."""

    def settled(self, stream: str, wait_s: float) -> None:
        """A file settled `wait_s` after it was first noticed."""

    def watch_state(self, stream: str, *, up: bool) -> None:
        """Whether the stream's folder is being watched."""

    def watch_restarted(self, stream: str) -> None:
        """The native observer died and was started again."""

    def queue_length(self, stage: str, frames: int) -> None:
        """Frames that wait for `stage`."""

    def stage_time(self, stage: str, seconds: float) -> None:
        """One frame's time in settle, read, predict, judge, commit or publish."""

    def requests_in_flight(self, requests: int) -> None:
        """Inference requests now under way."""

    def frame_done(
        self, stream: str, outcome: str, *, size: int, at_s: float, entropy: float | None, mutual_information: float | None, referred: bool
    ) -> None:
        """A frame was committed; outcome is scored, quarantined or companion; `size` in bytes, `at_s` seconds since the epoch."""

    def sample_began(self, stream: str) -> None:
        """A scored frame belongs to another sample than the one before, or is the first since the agent started."""

    def quarantined(self, stream: str, reason: str) -> None:
        """A file, or a frame of a stack, went to quarantine."""

    def drift(self, stream: str, statistic: float | None, threshold: float | None, state: DriftState) -> None:
        """The judge's last verdict."""

    def not_judged(self, stream: str, cause: Cause) -> None:
        """A frame was scored but not judged."""

    def episode(self, stream: str, kind: Kind, phase: Phase) -> None:
        """An episode opened, changed kind or closed."""

    def open_episodes(self, stream: str, kinds: list[Kind]) -> None:
        """The kinds of all open episodes, told at start and after each change."""

    def held(self, stream: str, *, held: bool) -> None:
        """Whether an operator holds the stream's predictions, told at start and after each order."""

    def members(self, stream: str, answering: int, missing: int, stale: int) -> None:
        """Ensemble members that answered, that did not, and that are not believed: at a frame, or at a canary with news of them."""

    def outbox(self, events: int, oldest_s: float | None) -> None:
        """Unsent events and the oldest one's time, seconds since the epoch."""

    def published(self, sink: str, events: int, at_s: float) -> None:
        """Events were acknowledged by the sink at `at_s`, seconds since the epoch."""

    def publish_failed(self, sink: str, reason: str) -> None:
        """Publishing failed and will be tried again."""

    def canary_answered(self, at_s: float) -> None:
        """The predictor's canary gave the known answer at `at_s`, seconds since the epoch."""

    def model(self, stream: str, name: str, version: str, digest: str) -> None:
        """Which model serves the stream."""


class NoTelemetry(Telemetry):
    """Takes every call and keeps nothing."""
