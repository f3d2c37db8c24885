"""Runs a past period through a fresh judge: the journal's scores, or a folder's frames read anew."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from edge_agent.agent.compose import find_served_model, make_judge
from edge_agent.agent.past import files_in, line_on
from edge_agent.core.errors import EdgeAgentError
from edge_agent.core.verdict import DriftState, Phase
from edge_agent.drift.baseline import Rebase, rebased
from edge_agent.journal.history import JournalHistory
from edge_agent.pipeline import read_files, recorded_observations
from edge_agent.replay.alarms import Alarms, Place, as_told
from edge_agent.replay.comparison import compare

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from edge_agent.agent.compose import ServedModel
    from edge_agent.config import Settings, StreamSettings
    from edge_agent.core.verdict import Observation, Verdict
    from edge_agent.drift import SequentialJudge
    from edge_agent.journal.history import Past
    from edge_agent.pipeline import Period
    from edge_agent.replay.comparison import Compared

    OnFrame = Callable[["Step"], None]

REJECTED = "files that cannot be read"


@dataclass(frozen=True, slots=True)
class Step:
    """One frame that was judged again.

    Attributes:
        observation, verdict: what went in and came out.
        alerts: data of the alert events it would have caused.
        in_period: whether it belongs to the period.
    """

    observation: Observation
    verdict: Verdict
    alerts: list[dict[str, Any]]
    in_period: bool


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay showed.

    Attributes:
        stream: its name.
        source: the journal or the folder.
        frames: judged frames of the period.
        first_at, last_at: the earliest and latest time of these, UTC.
        warm_up: frames judged before the period.
        left_out: what was not judged, with numbers, by reason.
        as_recorded: frames of the period that got the very statistic and standing they were recorded with; None of a folder.
        limits: the alarm limit that was recorded last, and the replay's, decades of frames; None where nothing was judged, or of a folder.
        pruned: whether the journal has forgotten older frames, so that the judge may have stood otherwise at the first.
        guarantee: what the judge promises.
        calibration: where its frames came from, in words.
        lines: alarms that opened in the period, beside those that were raised; of a folder all are new.
    """

    stream: str
    source: str
    frames: int
    first_at: datetime
    last_at: datetime
    warm_up: int
    left_out: dict[str, int]
    as_recorded: int | None
    limits: tuple[float, float] | None
    pruned: bool
    guarantee: str
    calibration: str
    lines: list[Compared]


@dataclass(slots=True)
class _Run:
    """A judge at work, and what it has said so far."""

    settings: Settings
    stream: StreamSettings
    model: ServedModel
    period: Period
    on_frame: OnFrame
    numbers: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    times: list[datetime] = field(default_factory=list)
    replayed: Alarms = field(default_factory=Alarms)
    judge: SequentialJudge = field(init=False)

    def __post_init__(self) -> None:
        self.judge = make_judge(self.stream, self.model, None)

    def step(self, observation: Observation) -> tuple[Place, Verdict, bool]:
        """Judge one frame; also its place, and whether it belongs to the period."""
        place = Place(self.numbers["judged"], observation.ref)
        verdict = self.judge.update(observation)
        alerts = as_told(self.settings.agent.name, self.stream.name, verdict.changes, observation, self.model.manifest.identity)
        for data in alerts:
            self.replayed.add(data, place)
        at = observation.ref.at
        in_period = self.period.holds(at)
        self.numbers["judged"] += 1
        if in_period:
            self.numbers["period"] += 1
            self.times = [min([*self.times[:1], at]), max([*self.times[1:], at])]
        elif not self.numbers["period"]:
            self.numbers["before"] += 1
        self.on_frame(Step(observation, verdict, alerts, in_period))
        return place, verdict, in_period

    def judge_by(self, past: Past, baseline: str | None) -> bool:
        """Go on with a fresh judge, by the baseline that an operator put in force; not when it was made from another calibration."""
        calibration = self.model.calibration
        if baseline is None or calibration is None:
            return False
        if baseline in past.baselines:
            rebase = Rebase.model_validate_json(past.baselines[baseline])
            if rebase.calibration != calibration.digest:
                return False
            calibration = rebased(calibration, rebase)
        elif not calibration.digest.startswith(baseline):
            return False
        before, self.judge = self.judge, make_judge(self.stream, replace(self.model, calibration=calibration), None)
        self.judge.take_over(before)
        return True

    def check_period(self, source: str) -> None:
        """Raises EdgeAgentError when no frame was taken in the period."""
        if not self.numbers["period"]:
            judged = self.numbers["judged"]
            raise EdgeAgentError(
                f"{source} of stream {self.stream.name}", f"none of {judged} frames was taken in the period", "widen --since and --until"
            )

    def report(
        self, source: str, raised: Alarms, *, as_recorded: int | None, limits: tuple[float, float] | None = None, pruned: bool
    ) -> Replayed:
        """All that was found, of the period alone."""
        lines = [
            line
            for line in compare(self.replayed.all, raised.all)
            if any(alarm and alarm.opened and self.period.holds(alarm.opened.frame.at) for alarm in (line.replayed, line.raised))
        ]
        calibration = self.model.calibration
        return Replayed(
            stream=self.stream.name,
            source=source,
            frames=self.numbers["period"],
            first_at=self.times[0],
            last_at=self.times[1],
            warm_up=self.numbers["before"],
            left_out=dict(self.left_out),
            as_recorded=as_recorded,
            limits=limits,
            pruned=pruned,
            guarantee=self.judge.guarantee,
            calibration="none" if calibration is None else calibration.source,
            lines=lines,
        )


def replay_journal(settings: Settings, stream: StreamSettings, period: Period, on_frame: OnFrame) -> Replayed:
    """Judge the stream's frames in the journal anew by `stream`'s calibration and thresholds; no pixel is read, no network asked.

    Frames before the period are judged as well, so that the judge stands at its first frame as it stood. A running agent is not disturbed.

    Raises JournalError (no journal, no frame in the period, frames that lack what is judged) and ModelError (a calibration of another
    model than the one that scored the frames).
    """
    model = find_served_model(settings, stream)
    run = _Run(settings, stream, model, period, on_frame)
    history = JournalHistory(settings.agent.place)
    past = history.past(stream.name)
    raised = Alarms()
    told_after: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for told in past.alerts:
        if told.after is None:
            raised.add(told.data, None)
        else:
            told_after[told.after].append(told.data)
    distances = model.calibration.distances if model.calibration else None
    changed_after = {change.after: change.new for change in past.changes}  # where several follow one frame, the last
    run.judge_by(past, changed_after.get(None, past.baseline))
    as_recorded, limits = 0, None
    frames = history.kept_frames(stream.name, past.last_row)
    for kept, observation in recorded_observations(frames, model.manifest.identity, distances, period, run.left_out):
        place, verdict, in_period = run.step(observation)
        for data in told_after.get(kept.event_id, ()):
            raised.add(data, place, by_operator=data["phase"] == Phase.CLOSED and kept.event_id in changed_after)
        if kept.event_id in changed_after and run.judge_by(past, changed_after[kept.event_id]):
            run.replayed.end(place)
        as_recorded += in_period and _as_recorded(kept.data, verdict)
        if in_period and verdict.threshold is not None and kept.data.get("drift_threshold") is not None:
            limits = (float(kept.data["drift_threshold"]), verdict.threshold)
    run.check_period("journal")
    return run.report("journal", raised, as_recorded=as_recorded, limits=limits, pruned=past.pruned)


def _as_recorded(data: dict[str, Any], verdict: Verdict) -> bool:
    state = DriftState.ALARM if data.get("drift_state") == DriftState.ACKNOWLEDGED else data.get("drift_state")  # an operator's word
    return (data.get("drift_statistic"), state) == (verdict.statistic, verdict.state)


def replay_folder(settings: Settings, stream: StreamSettings, folder: Path, period: Period, on_frame: OnFrame) -> Replayed:
    """Read, score and judge the frames in `folder` as `run --once` on it would; nothing is journalled or told.

    Raises ConfigurationError, ModelError or, where no frame can be read, EdgeAgentError.
    """
    return asyncio.run(_replay_folder(settings, stream, folder, period, on_frame))


async def _replay_folder(settings: Settings, stream: StreamSettings, folder: Path, period: Period, on_frame: OnFrame) -> Replayed:
    files = files_in(stream, folder)
    placed = stream.model_copy(update={"path": folder})
    run = _Run(settings, placed, find_served_model(settings, placed), period, on_frame)
    why = ""
    async with line_on(settings, placed, folder) as line:
        async for read in read_files(line, files):
            if read.rejected is not None:
                run.left_out[REJECTED] += 1
                why = str(read.rejected)
            run.left_out[REJECTED] += len(read.refused)
            for observation in read.observations:
                run.step(observation)
    if not run.numbers["judged"]:
        raise EdgeAgentError(str(folder), f"no frame of it can be read ({why})", "name a folder of whole frames")
    run.check_period(str(folder))
    return run.report(str(folder), Alarms(), as_recorded=None, pruned=False)
