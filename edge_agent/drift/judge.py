"""The judge: every frame's components against its lot, sample by sample, until the evidence says that something has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from edge_agent.core.verdict import DriftState, Kind, Phase, Verdict
from edge_agent.drift.calibration import SAMPLES_FOR_A_GUARANTEE
from edge_agent.drift.components import NETWORK, component_values
from edge_agent.drift.degradation import is_lacking
from edge_agent.drift.diagnosis import Diagnosis, diagnose, words
from edge_agent.drift.episode import EVIDENCE_FRAMES, Episode
from edge_agent.drift.evidence import NOTHING, Evidence, Sign
from edge_agent.drift.faults import FAULTY_FRAMES, is_blind, reason_of_blindness
from edge_agent.drift.judge_state import State, from_json, to_json
from edge_agent.drift.sample import BLOCK, Held, Sample
from edge_agent.drift.strata import UNRECORDED, stratum_of
from edge_agent.drift.tables import LotTable
from edge_agent.drift.thresholds import DriftSettings, Limits, statistic

if TYPE_CHECKING:
    from edge_agent.core.verdict import EpisodeChange, Observation
    from edge_agent.drift.calibration import Calibration

Tables: TypeAlias = "dict[str, LotTable]"
"""Lots at one stratum, for declared or for predicted ones."""
CONFIDENT = 0.9
"""Without sample names, a predicted lot this probable that differs from the last one begins another sample."""
LOOKS = frozenset({3, 4, 6, 8, 12, 16, 24, 32})
"""Frames of a sample, answered by every member, after which an open episode's kind is looked at again."""
LATEST = 4
"""Frames that a change within a sample is named by: those before it are still among the recent ones."""
STILL = 0.5
"""Share of the threshold, in decades, that a sample must show by itself for an open episode's kind to be looked at again."""


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
        self._tables = _tables_of(calibration) if calibration else {}
        self._digest = calibration.digest[:16] if calibration else ""
        self._state = State()

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
        stratum = stratum_of(observation.acquisition)
        lot = observation.declared_lot or observation.score.lot
        tables = self._at(stratum, declared=observation.declared_lot is not None)
        table = tables.get(lot) if tables else None
        if tables is None or table is None:
            reason = self._not_judged(stratum, lot, known=tables is not None)
            return Verdict(None, None, DriftState.UNCALIBRATED, roll, stratum, reason)
        sample = self._sample(observation, stratum)
        sample.votes[table.lot] = sample.votes.get(table.lot, 0) + 1
        table = tables[sample.lot]
        state.last_frames = [*state.last_frames[-(EVIDENCE_FRAMES - 1) :], observation.ref]
        blind = is_blind(observation.statistics, table)
        state.blind = state.blind + 1 if blind else 0
        if blind:
            state.calm = []
            sign, scores = NOTHING, [0.0] * len(table.centre)
        else:
            self._count(observation, sample, table)
            scores = sample.scores(table)
            sign = state.evidence.look(sample, scores, table)
        changes = self._go_on(observation, sign, tables) if state.episode else self._begin(observation, sign, scores, tables)
        standing = DriftState.ALARM if state.episode else DriftState.IN_CONTROL
        return Verdict(round(statistic(sign.frames), 6), round(self._limits.statistic, 6), standing, (*roll, *changes), stratum)

    def _at(self, stratum: str, *, declared: bool) -> Tables | None:
        """The lots' tables at these settings.

        A calibration whose frames did not say how they were taken is held to be for the settings the stream shows first.
        """
        held = self._calibration
        if held is None:
            return None
        if held.stratum == UNRECORDED and not held.strata:
            if self._state.home is None:
                self._state.home = stratum
            return self._tables[UNRECORDED, declared] if stratum == self._state.home else None
        return self._tables.get((stratum, declared))

    def _not_judged(self, stratum: str, lot: str, *, known: bool) -> str:
        if self._calibration is None:
            return "the model ships no calibration"
        if known:
            return f"lot {lot} was never calibrated"
        home = self._state.home if self._calibration.stratum == UNRECORDED else self._calibration.stratum
        return f"the instrument says {stratum or 'nothing of its settings'}; the calibration holds for {home or 'frames that say nothing'}"

    def _sample(self, observation: Observation, stratum: str) -> Sample:
        """The sample this frame belongs to, a new one where the stage has moved on or the settings were changed."""
        state, name = self._state, observation.ref.sample
        lot = observation.declared_lot or observation.score.lot
        sure = observation.declared_lot is not None or observation.score.confidence >= CONFIDENT
        moved = state.sample is None or (name, stratum) != (state.sample.name, state.sample.stratum)
        if moved or state.sample is None or (name is None and sure and state.lot not in {"", lot}):
            self._end_sample(declared=observation.declared_lot is not None)
            state.sample = Sample(name, observation.ref, stratum)
            state.last_frames = []
            state.lot = ""
        if sure:
            state.lot = lot
        return state.sample

    def _end_sample(self, *, declared: bool) -> None:
        """What is over adds to the evidence, unless an episode is open: that has its own end."""
        state = self._state
        if state.sample is not None and state.sample.frames and state.episode is None:
            tables = self._at(state.sample.stratum, declared=declared)
            if tables and (table := tables.get(state.sample.lot)):
                state.evidence.end_sample(state.sample, state.sample.scores(table), table)

    def _count(self, observation: Observation, sample: Sample, table: LotTable) -> None:
        state = self._state
        whole = not is_lacking(observation.score)
        values = component_values(observation.score, observation.statistics)
        vector = table.standardise(values)
        if not whole:  # what fewer members say cannot be held against the calibration; how the frame was taken can
            vector = [0.0 if place in NETWORK else value for place, value in enumerate(vector)]
        held = Held(table.lot, vector, whole)
        sample.add(observation.ref, values, table, held)
        if state.episode and (held.whole or state.episode.is_of_acquisition):
            state.calm = [*state.calm[-(BLOCK - 1) :], held]

    def _begin(self, observation: Observation, sign: Sign, scores: list[float], tables: Tables) -> tuple[EpisodeChange, ...]:
        """Open an episode if something calls for one."""
        state = self._state
        if state.sample is None:
            return ()
        onset = state.sample.first
        if state.blind >= FAULTY_FRAMES:
            onset = state.last_frames[-min(state.blind, len(state.last_frames))]
            diagnosis, reason = Diagnosis(Kind.DETECTOR_FAULT, 0.99), reason_of_blindness(observation.statistics)
        elif sign.frames >= self._limits.frames:
            onset = sign.onset or onset
            diagnosis = diagnose(state.sample.recent[-LATEST:] if sign.layer == "contrast" else state.sample.recent, tables)
            reason = words(sign, tables[state.sample.lot], diagnosis)
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
            place=sign.place,
            sign=sign.sign,
            peak=round(abs(scores[sign.place]), 4),
            change=diagnosis.change,
            strength=diagnosis.strength,
        )
        state.calm = []
        state.evidence = Evidence()
        return (state.episode.told(Phase.OPENED),)

    def _go_on(self, observation: Observation, sign: Sign, tables: Tables) -> tuple[EpisodeChange, ...]:
        """Look again at an open episode: over, something else, or the same."""
        state = self._state
        episode, sample = state.episode, state.sample
        if episode is None or sample is None:
            return ()
        if state.blind >= FAULTY_FRAMES:
            change = episode.revise(Diagnosis(Kind.DETECTOR_FAULT, 0.99), reason_of_blindness(observation.statistics), observation.ref)
            return (change,) if change else ()
        if state.blind == 0 and episode.is_over(state.calm, tables, self._limits):
            state.episode = None
            state.sample = Sample(sample.name, observation.ref, sample.stratum)
            state.evidence = Evidence()
            return (episode.close("The last frames lie within the normal range again."),)
        strange = statistic(sign.frames) >= STILL * self._limits.statistic
        if not is_lacking(observation.score) and sample.whole in LOOKS and strange:
            episode.peak = max(episode.peak, round(min(abs(sign.score), 2 * self._limits.z), 4))
            diagnosis = diagnose(sample.recent, tables)
            change = episode.revise(diagnosis, words(sign, tables[sample.lot], diagnosis), observation.ref)
            return (change,) if change else ()
        return ()

    def to_json(self) -> str:
        """The whole state."""
        return to_json(self._state, self._digest)

    def restore(self, state: str) -> None:
        """Continue from what `to_json` gave; raise ValueError for a state of another calibration or release."""
        self._state = from_json(state, self._digest)


def _tables_of(calibration: Calibration) -> dict[tuple[str, bool], Tables]:
    """By stratum and whether lots are declared."""
    return {
        (stratum, declared): {name: LotTable.of(name, lot, declared=declared) for name, lot in lots.items()}
        for stratum, lots in {**calibration.strata, calibration.stratum: calibration.lots}.items()
        for declared in (True, False)
    }
