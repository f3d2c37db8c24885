"""What an operator acknowledged calls nobody until it ends or turns into something else; nothing else is silenced by it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from edge_agent.core.verdict import DriftState, EpisodeChange, FrameRef, Kind, Mark, Marking, Phase, Verdict
from edge_agent.journal import Hold, Standing
from edge_agent.pipeline import Desk

FRAME = FrameRef(1, "a.tif", 0, "A", datetime(2026, 1, 1, tzinfo=UTC))
MARK = Mark(Marking.ACKNOWLEDGED, "A. Curie", "new filament")


def change(phase: Phase, revision: int, kind: Kind = Kind.ACQUISITION_CHANGE, episode: str = "e") -> EpisodeChange:
    return EpisodeChange(episode, phase, revision, kind, 0.9, FRAME, (FRAME,), "it is odd", "look")


def verdict(*changes: EpisodeChange, state: DriftState = DriftState.ALARM) -> Verdict:
    return Verdict(9.0, 5.0, state, changes)


def data(revision: int, kind: Kind = Kind.ACQUISITION_CHANGE, mark: Mark | None = MARK, phase: str = "updated") -> dict[str, Any]:
    said = {} if mark is None else {"operator_marking": mark.marking.value, "operator": mark.who, "operator_reason": mark.why}
    return json.loads(json.dumps({"episode": "e", "phase": phase, "revision": revision, "kind": kind, **said}))


def test_without_a_word_of_an_operator_a_verdict_is_told_as_it_is() -> None:
    desk = Desk()
    for one in (verdict(change(Phase.OPENED, 0)), verdict(change(Phase.UPDATED, 1)), verdict(change(Phase.CLOSED, 2))):
        assert desk.heed(one) is one


def test_the_same_kind_is_silenced_and_the_end_is_told_with_the_operators_word() -> None:
    desk = Desk()
    desk.heed(verdict(change(Phase.OPENED, 0)))
    desk.note(data(1))
    silenced = desk.heed(verdict(change(Phase.UPDATED, 1)))
    assert (silenced.changes, silenced.state) == ((), DriftState.ACKNOWLEDGED)
    assert desk.calling([Kind.ACQUISITION_CHANGE]) == []
    (end,) = desk.heed(verdict(change(Phase.CLOSED, 2), state=DriftState.IN_CONTROL)).changes
    assert (end.revision, end.mark) == (2, MARK), "revisions count on from what was told"
    again = desk.heed(verdict(change(Phase.OPENED, 0, episode="f")))
    assert (len(again.changes), again.state) == (1, DriftState.ALARM), "the next episode is another one"


def test_another_kind_calls_again_and_so_does_the_first_one_after_it() -> None:
    desk = Desk(None, [data(1)])
    (news,) = desk.heed(verdict(change(Phase.UPDATED, 1, Kind.UNSEEN_LOT))).changes
    assert (news.revision, news.kind, news.mark) == (2, Kind.UNSEEN_LOT, None)
    assert desk.calling([Kind.UNSEEN_LOT]) == [Kind.UNSEEN_LOT]
    back = desk.heed(verdict(change(Phase.UPDATED, 2)))
    assert (back.changes[0].revision, back.state) == (3, DriftState.ALARM)


def test_an_acknowledged_ensemble_silences_no_frames() -> None:
    desk = Desk(None, [data(1, Kind.DEGRADED)])
    told = desk.heed(verdict(change(Phase.OPENED, 0, episode="f")))
    assert (len(told.changes), told.state) == (1, DriftState.ALARM)
    assert desk.calling([Kind.ACQUISITION_CHANGE, Kind.DEGRADED]) == [Kind.ACQUISITION_CHANGE]


def test_a_restart_at_any_moment_changes_nothing() -> None:
    story = [
        verdict(change(Phase.OPENED, 0)),
        verdict(change(Phase.UPDATED, 1)),
        verdict(change(Phase.UPDATED, 2, Kind.UNSEEN_LOT)),
        verdict(change(Phase.UPDATED, 3)),
        verdict(change(Phase.CLOSED, 4), state=DriftState.IN_CONTROL),
    ]

    def tell(*, restarting: bool) -> list[tuple[int, Phase, Mark | None, DriftState]]:
        desk, told, kept = Desk(), [], data(0, mark=None)
        for number, one in enumerate(story):
            heeded = desk.heed(one)
            for each in heeded.changes:
                kept = data(each.revision, each.kind, each.mark, each.phase.value)
                told.append((each.revision, each.phase, each.mark, heeded.state))
            if number == 0:
                kept = data(1)
                desk.note(kept)
            if restarting:
                desk = Desk(None, [kept] if kept["phase"] != "closed" else [])
        return told

    assert tell(restarting=True) == tell(restarting=False)
    assert [revision for revision, *_ in tell(restarting=True)] == [0, 2, 3, 4]


def test_a_hold_ends_when_its_time_is_over() -> None:
    standing = Standing("sem", hold=Hold("A. Curie", "unseen lot", 1_000, 5_000))
    desk = Desk(standing)
    assert [desk.is_held(at) for at in (1_000, 4_999, 5_000)] == [True, True, False]
    desk.standing = replace(standing, hold=Hold("A. Curie", "unseen lot", 1_000, None))
    assert desk.is_held(10**18)
    assert not Desk().is_held(0)


def test_an_episode_whose_judge_was_replaced_silences_nothing_of_the_next_one() -> None:
    desk = Desk(None, [data(1)])
    told = desk.heed(verdict(change(Phase.OPENED, 0, episode="f")))
    assert (len(told.changes), told.state) == (1, DriftState.ALARM)
    assert desk.calling([Kind.ACQUISITION_CHANGE]) == [Kind.ACQUISITION_CHANGE]
    desk.note(data(1) | {"episode": "f"})
    assert desk.heed(verdict(change(Phase.UPDATED, 1, episode="f"))).state is DriftState.ACKNOWLEDGED
