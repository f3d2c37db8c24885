"""The judge's state as JSON, at most 4 KB of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge_agent.core.verdict import Kind
from edge_agent.drift.degradation import Degradation
from edge_agent.drift.episode import Episode
from edge_agent.drift.evidence import Evidence
from edge_agent.drift.recall import Recalled
from edge_agent.drift.references import HeldFrames, References
from edge_agent.drift.sample import NONE_BEFORE, Before, Held, Sample
from edge_agent.drift.strata import Home
from edge_agent.drift.unjudged import Unjudged

if TYPE_CHECKING:
    from edge_agent.core.verdict import FrameRef

STATE_VERSION = 6
PLAIN = ("identity", "revision", "kind", "confidence", "reason", "place", "sign", "peak", "change", "strength", "settled", "recovery")


@dataclass(slots=True)
class State:
    """All that a restart needs.

    Attributes:
        sample: the current one.
        evidence: over the samples since the stream began, or since the last episode ended.
        lot: what the sample is surely taken for, where the stream does not tell samples; "" while nothing is sure.
        others: by how many frames other lots lead `lot` since it last was level, of those that are sure.
        recalled: finished samples that may come back, oldest first.
        last_frames: of the sample, those an alert would show as evidence.
        blind: blind frames in a row.
        degradation: of the ensemble.
        calm: the last frames that an open episode's end is looked for in.
        episode: the open one.
        home: the settings that the stream mostly shows, where the calibration does not say which it holds for.
        unjudged: frames that could not be judged lately.
    """

    sample: Sample | None = None
    evidence: Evidence = field(default_factory=Evidence)
    lot: str = ""
    others: int = 0
    recalled: list[Recalled] = field(default_factory=list)
    last_frames: list[FrameRef] = field(default_factory=list)
    blind: int = 0
    degradation: Degradation = field(default_factory=Degradation)
    calm: list[Held] = field(default_factory=list)
    episode: Episode | None = None
    home: Home = field(default_factory=Home)
    unjudged: Unjudged = field(default_factory=Unjudged)

    def forget_samples(self) -> None:
        """Begin afresh: nothing that was seen so far counts as evidence any more."""
        self.evidence, self.recalled = Evidence(), []


def to_json(state: State, calibration: str) -> str:
    """The whole state, and the calibration it belongs to."""
    references, held = References(), HeldFrames()
    sample, episode, evidence = state.sample, state.episode, state.evidence
    body: dict[str, Any] = {
        "version": STATE_VERSION,
        "calibration": calibration,
        "lot": state.lot,
        "others": state.others,
        "recalled": [[one.identity, one.lot, *one.before] for one in state.recalled],
        "blind": state.blind,
        "home": [state.home.stratum, state.home.lead],
        "unjudged": [state.unjudged.lately, state.unjudged.reason],
        "degradation": state.degradation.to_rows(references),
        "last": [references.number(frame) for frame in state.last_frames],
        "evidence": [
            evidence.held,
            evidence.block_held if any(evidence.block_held) else [],
            evidence.since,
            evidence.began,
            [references.number(frame) for frame in evidence.starts],
            evidence.earned,
        ],
        "calm": [held.number(frame) for frame in state.calm],
        "sample": None
        if sample is None
        else [
            sample.name,
            references.number(sample.first),
            sample.stratum,
            sample.frames,
            sample.whole,
            sample.votes,
            sample.total,
            sample.squares,
            sample.extremes,
            sample.earlier,
            sample.earlier_squares,
            None if sample.block_first is None else references.number(sample.block_first),
            [held.number(frame) for frame in sample.recent],
            list(sample.before) if sample.before.frames else [],
        ],
        "episode": None
        if episode is None
        else {
            **{name: getattr(episode, name) for name in PLAIN},
            "onset": references.number(episode.onset),
            "evidence": [references.number(frame) for frame in episode.evidence],
        },
    }
    body["frames"], body["held"] = references.rows(), held.rows()
    return json.dumps(body, separators=(",", ":"))  # ASCII: it names files, whose names may be no Unicode


def from_json(text: str, calibration: str) -> State:
    """What `to_json` wrote; raises ValueError for a state of another calibration or release, or one that is damaged."""
    body = json.loads(text)
    if not isinstance(body, dict) or body.get("version") != STATE_VERSION:
        raise ValueError("the drift state was written by another release")
    if body.get("calibration") != calibration:
        raise ValueError("the drift state belongs to another calibration")
    try:
        return _state(body)
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"the drift state is damaged ({type(error).__name__}: {error})") from error


def _state(body: dict[str, Any]) -> State:
    frames, held = References(body["frames"]), HeldFrames(body["held"])
    over_samples, over_blocks, since, began, starts, earned = body["evidence"]
    return State(
        sample=_sample(body["sample"], frames, held),
        evidence=Evidence(over_samples, over_blocks or Evidence().block_held, since, began, [frames[number] for number in starts], earned),
        lot=body["lot"],
        others=body["others"],
        recalled=[Recalled(identity, lot, Before(*before)) for identity, lot, *before in body["recalled"]],
        last_frames=[frames[number] for number in body["last"]],
        blind=body["blind"],
        home=Home(*body["home"]),
        unjudged=Unjudged(*body["unjudged"]),
        degradation=Degradation.from_rows(body["degradation"], frames),
        calm=[held[number] for number in body["calm"]],
        episode=_episode(body["episode"], frames),
    )


def _sample(row: list[Any] | None, frames: References, held: HeldFrames) -> Sample | None:
    if row is None:
        return None
    name, first, stratum, counted, whole, votes, total, squares, extremes, earlier, earlier_squares, block_first, recent, before = row
    block = None if block_first is None else frames[block_first]
    held_frames = [held[number] for number in recent]
    sums = (total, squares, extremes, earlier, earlier_squares)
    remembered = Before(*before) if before else NONE_BEFORE
    return Sample(name, frames[first], stratum, counted, whole, votes, *sums, block, held_frames, remembered)


def _episode(row: dict[str, Any] | None, frames: References) -> Episode | None:
    if row is None:
        return None
    return Episode(
        **{name: row[name] for name in PLAIN if name != "kind"},
        kind=Kind(row["kind"]),
        onset=frames[row["onset"]],
        evidence=[frames[number] for number in row["evidence"]],
    )
