"""The first judge: three channels, normalised per lot, two-sided, sample by sample."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge_agent.core.verdict import DriftState, Kind, Phase, Verdict
from edge_agent.drift.calibration import SAMPLES_FOR_A_GUARANTEE
from edge_agent.drift.components import NETWORK, component_values
from edge_agent.drift.degradation import Degradation, is_lacking
from edge_agent.drift.diagnosis import Diagnosis, diagnose, words
from edge_agent.drift.episode import EVIDENCE_FRAMES, Episode
from edge_agent.drift.evidence import BLOCK, NOTHING, Held, Sample, Stream
from edge_agent.drift.references import HeldFrames, References
from edge_agent.drift.tables import LotTable
from edge_agent.drift.thresholds import DriftSettings, Limits

if TYPE_CHECKING:
    from edge_agent.core.verdict import EpisodeChange, FrameRef, Observation
    from edge_agent.drift.calibration import Calibration
    from edge_agent.drift.evidence import Evidence

STATE_VERSION = 3
CONFIDENT = 0.9
"""Without sample names, a predicted lot this probable that differs from the last one begins another sample."""
FLAT_LOG_SIGMA = -6.2
"""Logarithm of a standard deviation of 0.2 % of full scale; real frames of empty mount reach down to 1 %."""
MOSTLY = 0.5
"""Share of pixels at a limit of the detector's range from which it is blind."""
FAULTY_FRAMES = 2
"""Blind frames in a row that make a detector fault; a single one is a blanked beam."""


@dataclass(slots=True)
class _State:
    """All that a restart needs."""

    sample: Sample | None = None
    stream: Stream = field(default_factory=Stream)
    lot: str = ""
    last_frames: list[FrameRef] = field(default_factory=list)
    blind: int = 0
    degradation: Degradation = field(default_factory=Degradation)
    calm: list[Held] = field(default_factory=list)
    episode: Episode | None = None


class SequentialJudge:
    """One stream's drift detector: a pure function of its state and the next observation.

    Args:
        calibration: of the model that answers the stream; None judges nothing and says so.
        settings: what the lab can bear.
    """

    def __init__(self, calibration: Calibration | None, settings: DriftSettings | None = None) -> None:
        self._settings = settings or DriftSettings()
        self._limits = Limits.of(self._settings)
        self._calibration = calibration
        self._tables = {name: LotTable.of(name, lot) for name, lot in calibration.lots.items()} if calibration else {}
        self._digest = calibration.digest[:16] if calibration else ""
        self._state = _State()

    @property
    def guarantee(self) -> str:
        """What false-alarm rate is promised, or why none can be."""
        nominal = f"nominally {self._settings.false_alarms_per_month:g} a month at {self._settings.frames_per_hour:g} frames an hour"
        if self._calibration is None:
            return "No guarantee: the model ships no calibration, so its frames are scored but not judged."
        if scarce := self._calibration.scarce:
            counts = ", ".join(f"{lot} {samples}" for lot, samples in scarce.items())
            return (
                f"No false-alarm guarantee can be stated: fewer than {SAMPLES_FOR_A_GUARANTEE} independent calibration samples ({counts}); "
                f"limits are set for {nominal} under the calibrated model."
            )
        return f"Limits are set for {nominal}, as far as samples vary the way the calibration's samples do."

    @property
    def open_kinds(self) -> list[Kind]:
        """The kinds of the open episodes: what the judge sees, and whether the ensemble is whole."""
        kinds = [self._state.episode.kind] if self._state.episode else []
        return [*kinds, Kind.DEGRADED] if self._state.degradation.is_open else kinds

    @property
    def degradation(self) -> str:
        """Which members are left out of the frames' scores; "" while no episode of kind degraded is open."""
        return self._state.degradation.reason

    def update(self, observation: Observation) -> Verdict:
        """Take one frame, in sequence order."""
        state = self._state
        roll = state.degradation.update(observation)
        table = self._tables.get(observation.declared_lot or observation.score.lot)
        if table is None or self._calibration is None:
            return Verdict(None, None, DriftState.UNCALIBRATED, roll)
        sample = self._sample(observation)
        state.last_frames = [*state.last_frames[-(EVIDENCE_FRAMES - 1) :], observation.ref]
        blind = self._is_blind(observation, table)
        lacking = is_lacking(observation.score)
        state.blind = state.blind + 1 if blind else 0
        if blind:
            state.calm = []
            evidence, z = NOTHING, [0.0] * len(table.centre)
        else:
            vector = table.standardise(component_values(observation.score, observation.statistics))
            if lacking:  # what fewer members say cannot be held against the calibration; how the frame was taken can
                vector = [0.0 if place in NETWORK else value for place, value in enumerate(vector)]
            held = Held(table.lot, vector, whole=not lacking)
            sample.add(table, held, self._limits.z)
            if state.episode and (held.whole or state.episode.is_of_acquisition):
                state.calm = [*state.calm[-(BLOCK - 1) :], held]
            z = sample.z()
            evidence = sample.strongest(z, table, self._limits)
            if state.episode is None:
                evidence = max(evidence, state.stream.strongest(z, table.lot, self._limits, sample.first), key=lambda sign: sign.ratio)
        changes = self._go_on(observation, evidence) if state.episode else self._begin(observation, evidence, z)
        standing = DriftState.ALARM if state.episode else DriftState.IN_CONTROL
        return Verdict(round(evidence.ratio * self._limits.z, 6), round(self._limits.z, 6), standing, (*roll, *changes))

    def _sample(self, observation: Observation) -> Sample:
        """The sample this frame belongs to, a new one where the stage has moved on."""
        state, name = self._state, observation.ref.sample
        lot = observation.declared_lot or observation.score.lot
        sure = observation.declared_lot is not None or observation.score.confidence >= CONFIDENT
        moved = state.sample is None or name != state.sample.name or (name is None and sure and state.lot not in {"", lot})
        if moved or state.sample is None:
            if state.sample is not None and state.episode is None:
                state.stream.end_sample(state.sample, self._limits)
            state.sample = Sample(name, observation.ref)
            state.last_frames = []
            state.lot = ""
        if sure:
            state.lot = lot
        return state.sample

    @staticmethod
    def _is_blind(observation: Observation, table: LotTable) -> bool:
        """Pixel rules: more than half the pixels at a limit, or next to no contrast, beyond what this lot ever shows."""
        statistics = observation.statistics
        at_limit = statistics.low_fraction + statistics.high_fraction
        return (at_limit > MOSTLY and at_limit > table.limit_fraction) or statistics.log_sigma < FLAT_LOG_SIGMA

    def _begin(self, observation: Observation, evidence: Evidence, z: list[float]) -> tuple[EpisodeChange, ...]:
        """Open an episode if something calls for one."""
        state = self._state
        if state.sample is None:
            return ()
        onset = state.sample.first
        if state.blind >= FAULTY_FRAMES:
            onset = state.last_frames[-min(state.blind, len(state.last_frames))]
            diagnosis, reason = Diagnosis(Kind.DETECTOR_FAULT, 0.99), _blind_reason(observation)
        elif evidence.ratio >= 1.0:
            onset = evidence.onset or onset
            recent = [held for held in state.sample.recent if held.lot in self._tables]
            diagnosis = diagnose(recent, self._tables)
            size = evidence.ratio * self._limits.z * evidence.sign if evidence.layer != "stream" else z[evidence.place]
            reason = words(evidence, size, self._tables[evidence.lot], diagnosis)
        else:
            return ()
        state.episode = Episode(
            identity=Episode.name_for(observation.ref),
            revision=0,
            kind=diagnosis.kind,
            confidence=diagnosis.confidence,
            onset=onset,
            evidence=list(state.last_frames),
            reason=reason,
            place=evidence.place,
            sign=evidence.sign,
            peak=abs(z[evidence.place]),
            change=diagnosis.change,
            strength=diagnosis.strength,
        )
        state.calm = []
        state.stream = Stream()
        return (state.episode.told(Phase.OPENED),)

    def _go_on(self, observation: Observation, evidence: Evidence) -> tuple[EpisodeChange, ...]:
        """Look again at an open episode: over, something else, or the same."""
        state = self._state
        episode, sample = state.episode, state.sample
        if episode is None or sample is None:
            return ()
        if state.blind >= FAULTY_FRAMES:
            change = episode.revise(Diagnosis(Kind.DETECTOR_FAULT, 0.99), _blind_reason(observation), observation.ref)
            return (change,) if change else ()
        if state.blind == 0 and episode.is_over(state.calm, self._tables, self._limits):
            state.episode = None
            state.sample = Sample(sample.name, observation.ref)
            state.stream = Stream()
            return (episode.close("The last frames lie within the normal range again."),)
        if not is_lacking(observation.score) and sample.whole in LOOKS and evidence.ratio >= 1.0:
            episode.peak = max(episode.peak, min(evidence.ratio * self._limits.z, 2 * self._limits.z))
            diagnosis = diagnose(sample.recent, self._tables)
            reason = words(evidence, evidence.ratio * self._limits.z * evidence.sign, self._tables[evidence.lot], diagnosis)
            change = episode.revise(diagnosis, reason, observation.ref)
            return (change,) if change else ()
        return ()

    def to_json(self) -> str:
        """The whole state."""
        state, references, held = self._state, References(), HeldFrames()
        sample, episode = state.sample, state.episode
        body: dict[str, Any] = {
            "version": STATE_VERSION,
            "calibration": self._digest,
            "lot": state.lot,
            "blind": state.blind,
            "degradation": state.degradation.to_rows(references),
            "last": [references.number(frame) for frame in state.last_frames],
            "sums": state.stream.sums,
            "began": state.stream.began,
            "starts": [references.number(frame) for frame in state.stream.starts],
            "calm": [held.number(frame) for frame in state.calm],
            "sample": None
            if sample is None
            else [
                sample.name,
                references.number(sample.first),
                sample.frames,
                sample.whole,
                sample.total,
                sample.shared,
                sample.head,
                [held.number(frame) for frame in sample.recent],
            ],
            "episode": None
            if episode is None
            else {
                **{name: getattr(episode, name) for name in _PLAIN},
                "onset": references.number(episode.onset),
                "evidence": [references.number(frame) for frame in episode.evidence],
            },
        }
        body["frames"], body["held"] = references.rows(), held.rows()
        return json.dumps(body, separators=(",", ":"))  # ASCII: it names files, whose names may be no Unicode

    def restore(self, state: str) -> None:
        """Continue from what `to_json` gave; raise ValueError for a state of another calibration or release."""
        body = _taken_over(json.loads(state))
        if not isinstance(body, dict) or body.get("version") != STATE_VERSION:
            raise ValueError("the drift state was written by another release")
        if body["calibration"] != self._digest:
            raise ValueError("the drift state belongs to another calibration")
        frames, held = References(body["frames"]), HeldFrames(body["held"])
        sample, episode = body["sample"], body["episode"]
        self._state = _State(
            sample=None
            if sample is None
            else Sample(
                sample[0], frames[sample[1]], sample[2], sample[3], sample[4], sample[5], sample[6], [held[number] for number in sample[7]]
            ),
            stream=Stream(body["sums"], body["began"], [frames[number] for number in body["starts"]]),
            lot=body["lot"],
            last_frames=[frames[number] for number in body["last"]],
            blind=body["blind"],
            degradation=Degradation.from_rows(body["degradation"], frames),
            calm=[held[number] for number in body["calm"]],
            episode=None
            if episode is None
            else Episode(
                **{name: episode[name] for name in _PLAIN if name != "kind"},
                kind=Kind(episode["kind"]),
                onset=frames[episode["onset"]],
                evidence=[frames[number] for number in episode["evidence"]],
            ),
        )


_PLAIN = ("identity", "revision", "kind", "confidence", "reason", "place", "sign", "peak", "change", "strength", "settled")
LOOKS = frozenset({3, 4, 6, 8, 12, 16, 24, 32})
"""Frames of a sample, answered by every member, after which an open episode's kind is looked at again."""


def _taken_over(body: Any) -> Any:
    """A state of version 1 in the present form; any other as it is.

    It counted every frame for every component and did not watch the ensemble apart: an episode of kind degraded stays behind with it.
    """
    if not isinstance(body, dict) or body.get("version") != 1 or (body["episode"] or {}).get("kind") == Kind.DEGRADED:
        return body
    sample, calm = body["sample"], body["calm"]
    recent = sample[-1] if sample else []
    return {
        **body,
        "version": STATE_VERSION,
        "degradation": Degradation().to_rows(References()),
        "held": [*calm, *recent],
        "calm": [*range(len(calm))],
        "sample": sample and [*sample[:3], sample[2], *sample[3:-1], [*range(len(calm), len(calm) + len(recent))]],
    }


def _blind_reason(observation: Observation) -> str:
    statistics = observation.statistics
    share = statistics.low_fraction + statistics.high_fraction
    if share > MOSTLY:
        return f"{share:.0%} of the pixels stand at a limit of the detector's range."
    return f"The frame holds next to no signal: its standard deviation is {math.exp(statistics.log_sigma):.2%} of full scale."
