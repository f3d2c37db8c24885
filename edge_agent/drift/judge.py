"""The judge: every frame's components against its lot, sample by sample, until the evidence says that something has changed.

It takes frames in the order of their sequence numbers and knows no other: neither a clock nor the time a frame says it was taken changes
anything, an onset tells that time as it is. A frame of a lot or at settings that were never calibrated is not judged, says why, and
leaves all that the judge holds as it was. Where the stream names no samples, they are inferred: a few frames more than are surely of the
sample's lot that are surely of others begin one, and until then those stray frames count for nothing. So a predicted lot that flickers
makes no samples.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from edge_agent.core.verdict import Cause, DriftState, Kind, Phase, Verdict
from edge_agent.drift.baseline import tells_no_stratum
from edge_agent.drift.calibration import SAMPLES_FOR_A_GUARANTEE
from edge_agent.drift.components import NETWORK, component_values
from edge_agent.drift.degradation import is_lacking
from edge_agent.drift.diagnosis import Diagnosis, diagnose, is_rubbish, words, words_of_rubbish
from edge_agent.drift.episode import EVIDENCE_FRAMES, Episode
from edge_agent.drift.evidence import NOTHING, Sign
from edge_agent.drift.faults import FAULTY_FRAMES, is_blind, reason_of_blindness
from edge_agent.drift.judge_state import State, from_json, to_json
from edge_agent.drift.recall import identity_of, remember, resume
from edge_agent.drift.sample import BLOCK, Held, Sample
from edge_agent.drift.strata import UNRECORDED, stratum_of
from edge_agent.drift.tables import LotTable, tables_of
from edge_agent.drift.thresholds import DriftSettings, Limits, statistic

if TYPE_CHECKING:
    from edge_agent.core.protocols import Judge
    from edge_agent.core.verdict import EpisodeChange, FrameRef, Observation
    from edge_agent.drift.calibration import Calibration

Tables: TypeAlias = "dict[str, LotTable]"
"""Lots at one stratum, for declared or for predicted ones."""
CONFIDENT = 0.9
"""Without sample names, a predicted lot this probable is believed."""
CHANGED = 6
"""So many more such frames of other lots than of the sample's begin another sample."""
NAMED = 3
"""Settings of a calibration that a reason names."""
WEAKER = (
    "The stream names no samples: they are inferred from confident changes of the predicted lot, so this is weaker than with names: "
    "samples of one lot that follow each other count as one, and small lasting changes of them do not add up."
)
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
        names_samples: whether the stream has a rule that tells samples; only the guarantee's sentence depends on it.
    """

    def __init__(self, calibration: Calibration | None, settings: DriftSettings | None = None, *, names_samples: bool = True) -> None:
        self._settings = settings or DriftSettings()
        self._limits = Limits.of(self._settings)
        self._calibration = calibration
        self._names_samples = names_samples
        self._tables = _tables_of(calibration) if calibration else {}
        self._digest = calibration.digest[:16] if calibration else ""
        self._learns_home = calibration is not None and tells_no_stratum(calibration)
        self._state = State()

    @property
    def guarantee(self) -> str:
        """What false-alarm rate is promised, or why none can be."""
        nominal = f"nominally {self._settings.false_alarms_per_month:g} a month at {self._settings.frames_per_hour:g} frames an hour"
        if self._calibration is None:
            return "No guarantee: the model ships no calibration, so its frames are scored but not judged."
        weaker = "" if self._names_samples else f" {WEAKER}"
        if scarce := self._calibration.scarce:
            counts = ", ".join(f"{lot} {samples}" for lot, samples in scarce.items())
            return (
                f"No false-alarm guarantee can be stated: fewer than {SAMPLES_FOR_A_GUARANTEE} independent calibration samples ({counts}); "
                f"limits are set for {nominal} under the calibrated model.{weaker}"
            )
        return f"Limits are set for {nominal}, as far as samples vary the way the calibration's samples do.{weaker}"

    @property
    def open_kinds(self) -> list[Kind]:
        """The kinds of the open episodes: what the judge sees, and whether the ensemble is whole."""
        kinds = [self._state.episode.kind] if self._state.episode else []
        return [*kinds, Kind.DEGRADED] if self._state.degradation.is_open else kinds

    @property
    def degradation(self) -> str:
        """Which members are left out of the frames' scores; "" while no episode of kind degraded is open."""
        return self._state.degradation.reason

    @property
    def not_watched(self) -> str:
        """Why the last frames were mostly not judged; "" while they are, and without a calibration, of which `guarantee` tells."""
        return self._state.unjudged.told if self._calibration else ""

    def take_over(self, other: Judge) -> None:
        """Go on with what another judge of the stream knows apart from its calibration: the ensemble's state and the usual settings."""
        if isinstance(other, SequentialJudge):
            state = other._state  # noqa: SLF001 - its own kind
            self._state.degradation, self._state.home = replace(state.degradation), replace(state.home)

    def update(self, observation: Observation) -> Verdict:
        """Take one frame, in sequence order."""
        state = self._state
        roll = state.degradation.update(observation)
        stratum = stratum_of(observation.acquisition)
        if self._learns_home and state.home.moves(stratum):
            roll = (*roll, *self._begin_at_home())
        lot = observation.declared_lot or observation.score.lot
        tables = self._at(stratum, declared=observation.declared_lot is not None)
        table = tables.get(lot) if tables else None
        if tables is None or table is None:
            cause, reason = self._not_judged(stratum, lot, known=tables is not None)
            state.unjudged.take(reason)
            return Verdict(None, None, DriftState.UNCALIBRATED, roll, stratum, reason, cause)
        state.unjudged.take("")
        sample = self._sample(observation, lot, stratum, tables)
        strays = sample.name is None and state.lot not in {"", lot} and self._is_sure(observation)
        if not strays:
            sample.votes[lot] = sample.votes.get(lot, 0) + 1
        table = tables[sample.lot]
        state.last_frames = [*state.last_frames[-(EVIDENCE_FRAMES - 1) :], observation.ref]
        blind = is_blind(observation.statistics, table)
        state.blind = state.blind + 1 if blind else 0
        if blind:
            state.calm = []
            sign, scores = NOTHING, [0.0] * len(table.centre)
        else:
            if not strays:
                self._count(observation, sample, table)
            scores = sample.scores(table)
            sign = state.evidence.look(sample, scores, table)
        changes = self._go_on(observation, sign, scores, tables) if state.episode else self._begin(observation, sign, scores, tables)
        standing = DriftState.ALARM if state.episode else DriftState.IN_CONTROL
        return Verdict(round(statistic(sign.frames), 6), round(self._limits.statistic, 6), standing, (*roll, *changes), stratum)

    def _at(self, stratum: str, *, declared: bool) -> Tables | None:
        """The lots' tables at these settings; one whose frames did not say how they were taken holds for the usual settings."""
        if self._learns_home:
            return self._tables[UNRECORDED, declared] if stratum == self._state.home.stratum else None
        return self._tables.get((stratum, declared))

    def _begin_at_home(self) -> tuple[EpisodeChange, ...]:
        """Forget all that was judged at settings that turn out not to be the usual ones."""
        state, episode = self._state, self._state.episode
        self._state = State(degradation=state.degradation, home=state.home, unjudged=state.unjudged)
        if episode is None:
            return ()
        return (episode.close(f"Most frames are taken at other settings, {state.home.stratum or 'of which they say nothing'}."),)

    def _not_judged(self, stratum: str, lot: str, *, known: bool) -> tuple[Cause, str]:
        calibration = self._calibration
        if calibration is None:
            return Cause.NO_CALIBRATION, "the model ships no calibration"
        if known:
            return Cause.LOT, f"lot {lot} was never calibrated"
        held = [self._state.home.stratum] if self._learns_home else [calibration.stratum, *calibration.strata]
        further = f" and {len(held) - NAMED} others" if len(held) > NAMED else ""
        named = "; ".join(one or "frames that say nothing" for one in held[:NAMED])
        says = stratum or "nothing of its settings"
        return Cause.SETTINGS, f"the instrument says {says}; the calibration holds for {named}{further}"

    def _sample(self, observation: Observation, lot: str, stratum: str, tables: Tables) -> Sample:
        """The sample this frame belongs to, another one where the stage has moved on or the settings were changed."""
        state, sample = self._state, self._state.sample
        sure = self._is_sure(observation)
        moved = sample is None or (observation.ref.sample, stratum) != (sample.name, sample.stratum)
        if not moved and sure and observation.ref.sample is None:
            other = state.lot not in {"", lot}
            state.others = state.others + 1 if other else max(0, state.others - 1)
            moved = state.others == CHANGED or (other and observation.declared_lot is not None)
        if sample is None or moved:
            self._end_sample(declared=observation.declared_lot is not None)
            sample = state.sample = self._next_sample(observation.ref, stratum, tables)
            state.last_frames, state.lot, state.others = [], "", 0
        if sure and not state.lot:
            state.lot = lot
        return sample

    @staticmethod
    def _is_sure(observation: Observation) -> bool:
        return observation.declared_lot is not None or observation.score.confidence >= CONFIDENT

    def _next_sample(self, first: FrameRef, stratum: str, tables: Tables) -> Sample:
        """The one that begins with this frame, or comes back with it."""
        name, state = first.sample, self._state
        if name is not None and state.recalled:
            identity = identity_of(name, stratum)
            found = next((one for one in state.recalled if one.identity == identity and one.lot in tables), None)
            if found is not None:
                return resume(found, name, first, stratum, state.evidence, tables[found.lot])
        return Sample(name, first, stratum)

    def _end_sample(self, *, declared: bool) -> None:
        """What is over adds to the evidence, or to what an open episode's end is known by."""
        state = self._state
        sample, episode = state.sample, state.episode
        if sample is None or sample.is_empty:
            return
        tables = self._at(sample.stratum, declared=declared)
        table = tables.get(sample.lot) if tables else None
        if table is None:
            return
        scores = sample.scores(table)
        if episode is None:
            state.evidence.end_sample(sample, scores, table)
            state.recalled = remember(state.recalled, sample, table)
        elif frames := sample.counted(episode.place):
            episode.note_sample(scores[episode.place], table.relative(episode.place, frames))

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
        onset, peak = state.sample.first, 0.0
        if state.blind >= FAULTY_FRAMES:
            onset = state.last_frames[-min(state.blind, len(state.last_frames))]
            diagnosis, reason = Diagnosis(Kind.DETECTOR_FAULT, 0.99), reason_of_blindness(observation.statistics)
        elif sign.frames >= self._limits.frames:
            onset = sign.onset or onset
            peak = 0.0 if sign.layer == "contrast" else max(0.01, round(abs(scores[sign.place]), 4))
            diagnosis = diagnose(state.sample.recent[-LATEST:] if sign.layer == "contrast" else state.sample.recent, tables)
            reason = words(sign, tables[state.sample.lot], diagnosis, state.sample.recent)
        elif state.sample.frames in LOOKS and is_rubbish(state.sample.recent, tables):
            diagnosis, reason = diagnose(state.sample.recent, tables), words_of_rubbish(state.sample.recent, tables)
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
            peak=peak,
            change=diagnosis.change,
            strength=diagnosis.strength,
        )
        state.calm = []
        state.forget_samples()
        return (state.episode.told(Phase.OPENED),)

    def _go_on(self, observation: Observation, sign: Sign, scores: list[float], tables: Tables) -> tuple[EpisodeChange, ...]:
        """Look again at an open episode: over, something else, or the same."""
        state = self._state
        episode, sample = state.episode, state.sample
        if episode is None or sample is None:
            return ()
        if state.blind >= FAULTY_FRAMES:
            change = episode.revise(Diagnosis(Kind.DETECTOR_FAULT, 0.99), reason_of_blindness(observation.statistics), observation.ref)
            return (change,) if change else ()
        calm = [held for held in state.calm if held.lot in tables]  # other settings need not have every lot
        if state.blind == 0 and episode.is_over(calm, tables, self._limits) and self._is_back(episode, sample, scores, tables):
            state.episode = None
            state.sample = Sample(sample.name, observation.ref, sample.stratum)
            state.lot, state.others = "", 0
            state.forget_samples()
            return (episode.close("The last frames lie within the normal range again."),)
        strange = statistic(sign.frames) >= STILL * self._limits.statistic
        if not is_lacking(observation.score) and sample.whole in LOOKS and strange:
            if episode.peak:
                episode.peak = max(episode.peak, round(min(abs(sign.score), 2 * self._limits.z), 4))
            diagnosis = diagnose(sample.recent, tables)
            change = episode.revise(diagnosis, words(sign, tables[sample.lot], diagnosis, sample.recent), observation.ref)
            return (change,) if change else ()
        return ()

    @staticmethod
    def _is_back(episode: Episode, sample: Sample, scores: list[float], tables: Tables) -> bool:
        if not episode.peak:
            return True
        frames = sample.counted(episode.place)
        return frames > 0 and episode.is_recovered(scores[episode.place], tables[sample.lot].relative(episode.place, frames))

    def to_json(self) -> str:
        """The whole state."""
        return to_json(self._state, self._digest)

    def restore(self, state: str) -> None:
        """Continue from what `to_json` gave; raise ValueError for a state of another calibration or release."""
        self._state = from_json(state, self._digest)


def _tables_of(calibration: Calibration) -> dict[tuple[str, bool], Tables]:
    """By stratum and whether lots are declared."""
    return {
        (stratum, declared): tables_of(lots, declared=declared)
        for stratum, lots in {**calibration.strata, calibration.stratum: calibration.lots}.items()
        for declared in (True, False)
    }
