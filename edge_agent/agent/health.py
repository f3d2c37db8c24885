"""How every part stands, for /readyz and for heartbeats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.observe import PartState, overall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_agent.agent.alerting import Told
    from edge_agent.core.protocols import Predictor
    from edge_agent.pipeline import Pipeline, StreamLine
    from edge_agent.publish import Publisher
    from edge_agent.watch import FolderWatcher


JUDGE_THEM = "`edge-agent calibrate` with samples of that lot and at those settings makes them judged"
"""The way out for frames that are scored but not judged."""


class Health:
    """Asks the parts how they stand.

    Attributes:
        models: for each model, why it is not believed at present, "" when it is.
        disk: why the journal's disk is a worry, "" while it is none.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        publisher: Publisher,
        watchers: Sequence[FolderWatcher],
        predictors: Mapping[str, Predictor],
        lines: Sequence[StreamLine],
        told: Sequence[Told] = (),
    ) -> None:
        self._pipeline = pipeline
        self._publisher = publisher
        self._watchers = watchers
        self._predictors = predictors
        self._lines = lines
        self._told = told
        self.disk = ""
        self.models = dict.fromkeys(predictors, "it has not been asked yet")

    def parts(self) -> dict[str, PartState]:
        """Each part's standing; frames that wait make a part unready, events that wait and members left out only degrade."""
        parts = {f"watch {watcher.stream}": _standing(watcher) for watcher in self._watchers}
        for name, doubt in self.models.items():
            lacks, overdue = self._predictors[name].degradation, self._predictors[name].overdue
            reason = doubt or (overdue and f"model {name} {overdue}; frames wait meanwhile")
            parts[f"model {name}"] = PartState("unready", reason) if reason else PartState("degraded" if lacks else "ok", lacks)
        for line in self._lines:
            if line.judge.degradation:
                parts[f"ensemble of {line.name}"] = PartState("degraded", line.judge.degradation)
            if line.judge.not_watched:
                parts[f"drift of {line.name}"] = PartState("degraded", f"{line.judge.not_watched}; {JUDGE_THEM}")
            if line.desk.hold is not None:
                parts[f"predictions of {line.name}"] = PartState("ok", f"held by {line.desk.hold.who}: {line.desk.hold.why}")
        for name, reason in self._pipeline.waiting_for.items():
            parts[name] = PartState("unready", reason)
        parts.setdefault("journal", PartState("degraded" if self.disk else "ok", self.disk))
        parts["events"] = PartState("ok" if self._publisher.state.ok else "degraded", self._publisher.state.reason)
        for told in self._told:
            parts[f"alerts by {told.name}"] = PartState("ok" if told.publisher.state.ok else "degraded", told.publisher.state.reason)
        return parts

    def summary(self) -> tuple[str, str]:
        """The whole's standing, and the reasons of the parts that are not well, in one line."""
        parts = self.parts()
        return overall(parts.values()), "; ".join(f"{name}: {part.reason}" for name, part in parts.items() if part.state != "ok")


def _standing(watcher: FolderWatcher) -> PartState:
    if not watcher.state.watching:
        return PartState("unready", watcher.state.reason)
    return PartState("degraded", watcher.unseen) if watcher.unseen else PartState("ok", watcher.state.reason)
