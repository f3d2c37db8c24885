"""What our judge does on a stream: episodes while nothing is wrong, delay, kind and onset when something is."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from edge_agent.core.verdict import DriftState, Kind, Phase
from edge_agent.drift import DriftSettings, SequentialJudge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.core.verdict import EpisodeChange, FrameRef, Observation
    from edge_agent.drift import Calibration
    from tests.benchmarks.drift.library import Library
    from tests.benchmarks.drift.streams import Stream

FRAMES_AN_HOUR = 60.0
HOURS_A_MONTH = 720.0
FOLLOWED_SAMPLES = 3
"""After the alarm's own sample, in which its kind may settle."""


def settings(nominal: float) -> DriftSettings:
    """What a lab would ask for to have one false alarm in `nominal` frames."""
    return DriftSettings(false_alarms_per_month=HOURS_A_MONTH * FRAMES_AN_HOUR / nominal, frames_per_hour=FRAMES_AN_HOUR)


class Bench:
    """One split's judge, begun afresh for each stream without being built afresh."""

    def __init__(self, calibration: Calibration, nominal: float) -> None:
        self._judge = SequentialJudge(calibration, settings(nominal))
        self._untouched = self._judge.to_json()

    def fresh(self) -> SequentialJudge:
        """The judge as it is before its first frame."""
        self._judge.restore(self._untouched)
        return self._judge


@dataclass
class Calm:
    """A calm stream's false alarms.

    Attributes:
        frames: shown.
        at_risk: of these, shown while no episode was open.
        samples: shown.
        opened: of every episode the number of the frame, the kind, the reason and the sample's true lot.
    """

    frames: int = 0
    at_risk: int = 0
    samples: int = 0
    opened: list[tuple[int, str, str, str]] = field(default_factory=list)


def calm_run(judge: SequentialJudge, stream: Stream, library: Library) -> Calm:
    """Show a calm stream; after a false alarm the judge goes on by itself, and its episode ends by its own rule."""
    found = Calm(samples=len(stream.lots))
    standing = DriftState.IN_CONTROL
    for number, observation in enumerate(stream.observations(library)):
        found.frames += 1
        found.at_risk += standing is not DriftState.ALARM
        verdict = judge.update(observation)
        standing = verdict.state
        found.opened += [
            (number, change.kind.value, change.reason, stream.lots[stream.samples[number]])
            for change in _judged(verdict.changes)
            if change.phase is Phase.OPENED
        ]
    return found


@dataclass
class Event:
    """What was said of a change.

    Attributes:
        change: number of the first changed frame.
        lot: true lot of the sample it came in.
        false_alarms: episodes opened before it.
        masked: a false alarm's episode was still open when the change came, so that nothing can be said of its delay.
        delay: frames from the change to the alarm, 1 for the first changed one; None for a miss.
        samples: samples begun since the change when it alarmed, 0 for the one it came in; None for a miss.
        kind, settled: what it was taken for when it opened, and after FOLLOWED_SAMPLES more samples.
        onset, settled_onset: samples from the one the change came in to the one it was dated to.
        opened: episodes opened from the change to the end of what was followed.
        reason: the sentence told when it opened.
    """

    change: int
    lot: str
    false_alarms: int = 0
    masked: bool = False
    delay: int | None = None
    samples: int | None = None
    kind: str = ""
    settled: str = ""
    onset: int | None = None
    settled_onset: int | None = None
    opened: int = 0
    reason: str = ""

    def to_row(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def follow(judge: SequentialJudge, stream: Stream, library: Library) -> Event:
    """Show a stream until its change has been told, and a little longer."""
    begun = int(stream.samples[stream.change])
    found = Event(stream.change, stream.lots[begun])
    standing, alarmed_in = DriftState.IN_CONTROL, None
    for number, observation in enumerate(stream.observations(library)):
        sample = int(stream.samples[number])
        if alarmed_in is not None and sample > alarmed_in + FOLLOWED_SAMPLES:
            break
        if number == stream.change:
            found.masked = standing is DriftState.ALARM
            if found.masked:
                break
        verdict = judge.update(observation)
        standing = verdict.state
        for change in _judged(verdict.changes):
            if number < stream.change:
                found.false_alarms += change.phase is Phase.OPENED
                continue
            if change.phase is Phase.OPENED:
                found.opened += 1
                if found.delay is None:
                    alarmed_in = sample
                    found.delay, found.samples = number - stream.change + 1, sample - begun
                    found.kind, found.onset, found.reason = change.kind.value, _sample_of(change.onset) - begun, change.reason
            if change.phase is not Phase.CLOSED:
                found.settled, found.settled_onset = change.kind.value, _sample_of(change.onset) - begun
    return found


def restarts_change_nothing(calibration: Calibration, nominal: float, observations: Iterable[Observation]) -> tuple[int, int, int]:
    """Frames, frames after which a judge restarted between any two of them says otherwise, and the largest state, bytes."""
    whole = SequentialJudge(calibration, settings(nominal))
    parts = [SequentialJudge(calibration, settings(nominal)) for _ in range(2)]
    frames = different = largest = 0
    for frames, observation in enumerate(observations, 1):
        state = parts[(frames - 1) % 2].to_json()
        largest = max(largest, len(state.encode()))
        parts[frames % 2].restore(state)
        different += whole.update(observation) != parts[frames % 2].update(observation)
    return frames, different, largest


def microseconds_a_frame(judge: SequentialJudge, observations: Iterable[Observation]) -> float:
    """Processor time of one update, mean over a stream."""
    frames = list(observations)
    began = time.process_time_ns()
    for observation in frames:
        judge.update(observation)
    return (time.process_time_ns() - began) / 1e3 / len(frames)


def _judged(changes: Iterable[EpisodeChange]) -> Iterable[EpisodeChange]:
    return (change for change in changes if change.kind is not Kind.DEGRADED)


def _sample_of(frame: FrameRef) -> int:
    assert frame.sample is not None
    return int(frame.sample.removeprefix("S"))
