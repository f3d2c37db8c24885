"""Operators' orders against the real journal: carried out once, in one transaction, and heeded by every later frame."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from edge_agent.core.frame import Acquisition
from edge_agent.core.verdict import DriftState
from edge_agent.journal import operation
from edge_agent.pipeline import Order
from tests.operators_bench import SEVERE, WHO, S, bench, fitted, in_alarm, samples
from tests.streams import Stage, calibration

if TYPE_CHECKING:
    from pathlib import Path


async def test_what_is_acknowledged_calls_nobody_until_its_end_and_the_baseline_stays(tmp_path: Path) -> None:
    stage = Stage(1)
    async with bench(tmp_path) as made:
        episode = await in_alarm(made, stage)
        word = await made.said("ack", stream=None, episode=episode)
        assert word.applied, word.answer
        assert (word.who, word.why, word.episode) == ("A. Curie", "the new filament", episode)
        (marked,) = await made.events("edge.alert.updated")
        assert (marked["operator_marking"], marked["operator"]) == ("acknowledged", "A. Curie")
        (changed,) = await made.events("edge.baseline.changed")
        assert (changed["change"], changed["episode"], changed["operator"]) == ("acknowledged", episode, "A. Curie")
        assert changed["old_baseline"] == changed["new_baseline"] == fitted().digest[:16]
        silent = await made.feed(samples(stage, 6, SEVERE))
        assert {event["type"] for event in silent} == {"edge.frame.scored.v1"}
        assert {event["drift_state"] for event in silent} == {DriftState.ACKNOWLEDGED}
    async with bench(tmp_path) as again:
        assert again.line.desk.calling(again.line.judge.open_kinds) == []
        told = await again.feed(samples(stage, 3, SEVERE) + samples(stage, 3))
        alerts = [event for event in told if "alert" in event["type"]]
        assert [(event["type"], event["operator"]) for event in alerts] == [("edge.alert.closed.v1", "A. Curie")]
        revisions = [event["revision"] for event in await again.events("edge.alert") if event["episode"] == episode]
        assert revisions == list(range(len(revisions)))
        later = await again.feed(samples(stage, 2, SEVERE))
        assert "edge.alert.opened.v1" in {event["type"] for event in later}, "the next episode was acknowledged by nobody"


async def test_a_rebase_needs_twenty_samples_and_says_how_many_there_are(tmp_path: Path) -> None:
    stage = Stage(2)
    async with bench(tmp_path) as made:
        before = await made.said("rebase")
        assert (before.applied, "name it with --from" in before.answer) == (False, True)
        await in_alarm(made, stage)
        await made.feed(samples(stage, 10, SEVERE))
        few = await made.said("rebase")
        assert not few.applied
        assert re.search("needs 20 samples since the change, and there are 1[12];", few.answer), (
            "the onset's own sample may be of either side"
        )
        assert await made.events("edge.baseline") == []
        assert made.line.desk.standing is not None
        assert made.line.desk.standing.baseline is None


async def test_a_rebase_closes_the_episode_is_quiet_and_wakeful_provisional_confirmed_and_restorable(tmp_path: Path) -> None:
    stage, own = Stage(3), fitted().digest[:16]
    async with bench(tmp_path) as made:
        episode = await in_alarm(made, stage)
        await made.feed(samples(stage, 22, SEVERE))
        word = await made.said("rebase")
        assert word.applied, word.answer
        assert word.samples in {23, 24}
        assert (word.old_baseline, word.episode) == (own, episode)
        (closed,) = await made.events("edge.alert.closed")
        assert "A. Curie replaced the baseline" in closed["reason"]
        (changed,) = await made.events("edge.baseline.changed")
        assert (changed["change"], changed["samples"], changed["provisional"]) == ("rebased", word.samples, True)
        assert (changed["old_baseline"], changed["new_baseline"]) == (own, word.new_baseline)
        told = await made.feed(samples(stage, 12, SEVERE))
        assert {event["drift_state"] for event in told} == {DriftState.IN_CONTROL}
    async with bench(tmp_path) as again:
        assert "provisional until further samples confirm it" in again.line.guarantee
        await again.feed(samples(stage, 12, SEVERE))
        line, lock = again.operators._lines[S]
        await again.operators._confirm(line, lock)
        assert [event["change"] for event in await again.events("edge.baseline.changed")] == ["rebased", "confirmed"]
        assert "provisional" not in again.line.guarantee
        twice = await again.said("restore", baseline=word.new_baseline)
        assert "in force already" in twice.answer
        alarmed = await again.feed(samples(stage, 2))
        assert "edge.alert.opened.v1" in {event["type"] for event in alarmed}, "the old filament is a change now"
        back = await again.said("restore", baseline=own)
        assert back.applied, back.answer
        assert {event["drift_state"] for event in await again.feed(samples(stage, 6))} == {DriftState.IN_CONTROL}
        forth = await again.said("restore", baseline=word.new_baseline)
        assert forth.applied, forth.answer
        assert (await again.said("restore", baseline="nonsense")).answer.startswith("stream sem has no baseline nonsense")
        kept = await again.journal.look(partial(operation.baselines, stream=S))
        assert [baseline.id for baseline in kept] == [word.new_baseline], "restoring makes no new one"


async def test_a_baseline_is_not_confirmed_by_samples_in_alarm(tmp_path: Path) -> None:
    stage = Stage(4)
    async with bench(tmp_path) as made:
        await in_alarm(made, stage)
        await made.feed(samples(stage, 22, SEVERE))
        assert (await made.said("rebase")).applied
        await made.feed(samples(stage, 30))
        line, lock = made.operators._lines[S]
        await made.operators._confirm(line, lock)
        assert made.line.desk.standing is not None
        assert made.line.desk.standing.provisional


async def test_the_change_may_be_named_by_its_sample_or_its_time(tmp_path: Path) -> None:
    stage = Stage(5)
    async with bench(tmp_path) as made:
        await made.feed(samples(stage, 6))
        odd = samples(stage, 21, SEVERE)
        await made.feed(odd)
        assert (await made.said("rebase", since="no such sample")).answer.startswith("--from no such sample is neither")
        assert "there are 20" not in (await made.said("rebase", since=odd[16].ref.sample)).answer
        later = await made.said("rebase", since="2036-01-01T00:00")
        assert "no frame of stream sem was taken at 2036-01-01 00:00 UTC or later" in later.answer
        named = await made.said("rebase", since=odd[8].ref.sample)
        assert (named.applied, named.samples) == (True, 20)
        timed = await made.said("rebase", since=odd[0].ref.at.isoformat())
        assert (timed.applied, timed.samples) == (True, 21)


async def test_predictions_are_held_until_released_or_until_their_time_is_over(tmp_path: Path) -> None:
    stage = Stage(6)
    async with bench(tmp_path) as made:
        assert (await made.said("release")).answer == "the predictions of stream sem are not held"
        assert not made.is_held
        assert (await made.said("hold")).applied
        assert made.is_held
        assert {(one["held"], one["referred"]) for one in await made.feed(samples(stage, 1))} == {(True, True)}
    async with bench(tmp_path) as again:
        assert {(one["held"], one["referred"]) for one in await again.feed(samples(stage, 1))} == {(True, True)}
        assert (await again.said("release", why="tested")).applied
        assert not again.is_held
        assert {(one["held"], one["referred"]) for one in await again.feed(samples(stage, 1))} == {(False, False)}
        assert (await again.said("hold", for_s=60.0)).applied
        assert again.is_held
        again.at_ns += 61 * 10**9
        assert {one["held"] for one in await again.feed(samples(stage, 1))} == {False}
        await again.operators.attend()
        assert not again.is_held
        told = await again.events("edge.hold.changed")
        assert [(one["held"], one["operator"]) for one in told] == [
            (True, "A. Curie"), (False, "A. Curie"), (True, "A. Curie"), (False, "edge-agent"),
        ]  # fmt: skip
        assert told[2]["until"] is not None


async def test_false_alarms_are_counted_once_each_whether_open_or_over(tmp_path: Path) -> None:
    stage = Stage(7)
    async with bench(tmp_path) as made:
        episode = await in_alarm(made, stage)
        assert (await made.said("wrong", stream=None, episode=episode, why="a lamp was on")).applied
        assert "marked wrong already" in (await made.said("wrong", stream=None, episode=episode)).answer
        assert {one["type"] for one in await made.feed(samples(stage, 2, SEVERE))} == {"edge.frame.scored.v1"}
        await made.feed(samples(stage, 4))
        second = await in_alarm(made, stage)
        await made.feed(samples(stage, 4))
        assert "over: there is nothing to acknowledge" in (await made.said("ack", stream=None, episode=second)).answer
        assert (await made.said("wrong", stream=None, episode=second)).applied
        closed = [one for one in await made.events("edge.alert.closed") if one["episode"] == second]
        assert [one["operator_marking"] for one in closed] == [None, "wrong"]
        counts = [await made.journal.look(partial(operation.marked_wrong, stream=S, since_ns=at)) for at in (0, made.at_ns + 1)]
        assert counts == [2, 0]


async def test_an_order_is_carried_out_once_when_the_agent_dies_before_it_takes_it_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(8)
    async with bench(tmp_path) as made:
        await in_alarm(made, stage)
        await made.feed(samples(stage, 22, SEVERE))
        order = made.order("rebase")
        monkeypatch.setattr(made.orders, "done", lambda _order: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            await made.operators.attend()
        state = made.line.judge.to_json()
    async with bench(tmp_path) as again:
        assert [one.id for one in again.orders.waiting()] == [order.id]
        assert again.line.judge.to_json() == state, "the judge goes on under the new baseline"
        await again.operators.attend()
        assert again.orders.waiting() == []
        assert len(await again.events("edge.baseline.changed")) == len(await again.events("edge.alert.closed")) == 1


async def test_an_order_that_fails_before_its_commit_has_changed_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(9)
    async with bench(tmp_path) as made:
        await in_alarm(made, stage)
        await made.feed(samples(stage, 22, SEVERE))
        judge = made.line.judge
        order = made.order("rebase")
        monkeypatch.setattr("edge_agent.journal.outbox.append", lambda *_: (_ for _ in ()).throw(OSError("dies at the last statement")))
        with pytest.raises(OSError, match="last statement"):
            await made.operators.attend()
        monkeypatch.undo()
        assert made.line.judge is judge
        assert await made.journal.look(partial(operation.word, order_id=order.id)) is None
        assert await made.journal.look(partial(operation.baselines, stream=S)) == []
        await made.operators.attend()
        assert (await made.answer(order)).applied


async def test_what_cannot_be_done_is_refused_and_what_is_no_order_is_put_aside(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        assert (await made.said("ack")).answer == "no episode is open on stream sem"
        assert (await made.said("hold", stream="other")).answer == "stream other is not configured here; known: sem"
        assert (await made.said("wrong", stream=None, episode="e")).answer == "no episode e is known"
        folder = tmp_path / "orders"
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "1.json").write_text("{}")
        (folder / "2.json").write_bytes(b"\xff" * 100_000)
        (folder / "3.json").write_text(Order(verb="hold", stream=S, asked_at_ns=1, **WHO).model_dump_json())
        assert (await made.said("hold")).applied
        assert sorted(path.name for path in folder.iterdir()) == ["1.refused", "2.refused", "3.refused"]


async def test_a_rebase_of_another_calibration_is_out_of_force_and_the_stream_goes_on(tmp_path: Path) -> None:
    from edge_agent.agent.stands import stands_by

    stage = Stage(10)
    async with bench(tmp_path) as made:
        await in_alarm(made, stage)
        await made.feed(samples(stage, 22, SEVERE))
        assert (await made.said("rebase")).applied
        other = calibration(seed=1)
        stands = await stands_by(made.journal, S, other)
        assert stands.calibration is other
        assert stands.desk.standing is not None
        assert stands.desk.standing.baseline is None


async def test_a_degraded_ensembles_episode_goes_on_under_a_new_baseline_and_is_told_once(tmp_path: Path) -> None:
    stage = Stage(11)
    async with bench(tmp_path) as made:
        await in_alarm(made, stage)
        await made.feed(samples(stage, 22, SEVERE))
        told = await made.feed(stage.sample(8, shift=SEVERE, members=3))
        (degraded,) = [event["episode"] for event in told if event.get("kind") == "degraded"]
        word = await made.said("rebase")
        assert word.applied, word.answer
        assert [kind.value for kind in made.line.judge.open_kinds] == ["degraded"]
        told = await made.feed(stage.sample(8, shift=SEVERE))
        assert [(event["episode"], event["phase"]) for event in told if "alert" in event["type"]] == [(degraded, "closed")]
        story = [event["phase"] for event in await made.events("edge.alert") if event["episode"] == degraded]
        assert story == ["opened", "closed"]


async def test_one_word_acknowledges_the_frames_episode_and_the_ensembles(tmp_path: Path) -> None:
    stage = Stage(11)
    async with bench(tmp_path) as made:
        await in_alarm(made, stage)
        await made.feed(stage.sample(8, shift=SEVERE, members=3))
        acknowledged = await made.said("ack")
        assert "(degraded)" in acknowledged.answer
        assert len(await made.events("edge.baseline.changed")) == 2
        assert made.line.desk.calling(made.line.judge.open_kinds) == []


async def test_a_rebase_names_the_settings_it_holds_for_where_the_calibration_does_not(tmp_path: Path) -> None:
    """A stream whose usual settings were learned wrongly, or have changed for good, is judged again by an operator's word."""
    stage = Stage(12)
    usual, other = (Acquisition(detector="SE2", acceleration_voltage_v=volts) for volts in (5e3, 2e4))
    async with bench(tmp_path) as made:
        await made.feed([replace(frame, acquisition=usual) for frame in samples(stage, 6)])
        moved = [replace(frame, acquisition=other) for frame in samples(stage, 22)]
        told = await made.feed(moved)
        assert {event["drift_state"] for event in told} == {DriftState.UNCALIBRATED}
        assert "SE2, 20 kV" in made.line.judge.not_watched
        word = await made.said("rebase", since=moved[0].ref.sample)
        assert word.applied, word.answer
        told = await made.feed([replace(frame, acquisition=other) for frame in samples(stage, 4)])
        assert {event["drift_state"] for event in told} == {DriftState.IN_CONTROL}
