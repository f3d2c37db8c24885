"""What every predictor knows of the model it asks, wherever that runs: who it is, which members answer, and what is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.core.clock import SystemClock
from edge_agent.core.telemetry import Telemetry
from edge_agent.inference.answers import FieldBatch
from edge_agent.inference.canary import RollCall
from edge_agent.inference.fields import tile
from edge_agent.inference.manifest import load_manifest
from edge_agent.inference.silence import Silence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge_agent.core.frame import Frame
    from edge_agent.core.prediction import ModelIdentity
    from edge_agent.core.protocols import Clock


class PredictorOfModel:
    """The half of a predictor that the model in `folder` makes, and its last canary.

    Args:
        folder: the model's folder.
        telemetry: told of requests in flight and of canaries.
        clock: dates the canaries.
    """

    def __init__(self, folder: Path, telemetry: Telemetry | None, clock: Clock | None) -> None:
        self._manifest = load_manifest(folder)
        self._roll = RollCall()
        self._telemetry = telemetry or Telemetry()
        self._clock = clock or SystemClock()
        self._in_flight = 0
        self._silence = Silence(self._clock)

    @property
    def model(self) -> ModelIdentity:
        """Which model answers."""
        return self._manifest.identity

    @property
    def degradation(self) -> str:
        """Which members the last canary found stale or missing; "" when all gave the known answer."""
        return self._roll.said

    @property
    def members(self) -> int:
        """Members the model has."""
        return self._manifest.members

    @property
    def left_out(self) -> tuple[frozenset[int], frozenset[int]]:
        """Places of the members that the last canary found stale, and of those it found missing, from 0."""
        return self._roll.stale, self._roll.missing

    @property
    def overdue(self) -> str:
        """Since when a model that was asked has not answered; "" while it answers as fast as it usually does, or owes nothing."""
        silent_s = self._silence.overdue_s
        return f"has not answered for {silent_s:.0f} s" if silent_s else ""

    @property
    def unheard_s(self) -> float:
        """Seconds since the last answer, infinite before the first."""
        return self._silence.unheard_s

    def warm(self) -> None:
        """Nothing: a server keeps its models ready."""

    def _tile(self, frames: Sequence[Frame]) -> FieldBatch:
        return FieldBatch(frames, [tile(frame.pixels, frame.full_scale, self._manifest.preprocessing) for frame in frames])

    def _count(self, change: int) -> None:
        self._in_flight += change
        self._telemetry.requests_in_flight(self._in_flight)

    def _tell_canary(self) -> None:
        self._telemetry.canary_answered(self._clock.now_ns() / 1e9)
