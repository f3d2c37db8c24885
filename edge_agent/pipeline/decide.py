"""What an operator's order changes: from the order and the journal to one execution, or a refusal that says why."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from edge_agent.core.clock import utc_of
from edge_agent.core.verdict import Kind, Mark, Marking, Phase
from edge_agent.drift.baseline import Rebase, rebased
from edge_agent.drift.rebasing import estimate_rebase
from edge_agent.journal import Baseline, Execution, Hold, Word, operation
from edge_agent.pipeline.since import frames_since, where_from
from edge_agent.publish import alert_marked, alert_rebased, baseline_changed, hold_changed

if TYPE_CHECKING:
    from edge_agent.core.event import Event
    from edge_agent.core.protocols import Judge
    from edge_agent.drift import Calibration
    from edge_agent.journal import Journal, Standing
    from edge_agent.pipeline.line import StreamLine
    from edge_agent.pipeline.orders import Order


class RefusedError(Exception):
    """An order that cannot be carried out; its message is the operator's answer."""


@dataclass(frozen=True, slots=True)
class Decision:
    """An execution to be journalled, with the judge that takes over once it is."""

    execution: Execution
    judge: Judge | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One order about one stream, at one moment; `episode` is what it names, `standing` how the stream stands."""

    agent: str
    order: Order
    line: StreamLine
    journal: Journal
    standing: Standing
    now_ns: int
    episode: dict[str, Any] | None = None

    @property
    def mark(self) -> Mark:
        """The order as a word on an episode."""
        return Mark(Marking.WRONG if self.order.verb == "wrong" else Marking.ACKNOWLEDGED, self.order.who, self.order.why)

    @property
    def baseline(self) -> str:
        """The baseline in force, "" where the stream has no calibration."""
        calibration = self.line.calibration
        return self.standing.baseline or (identity(calibration) if calibration else "")

    def answered(self, answer: str, **about: Any) -> Word:
        """The order as carried out."""
        order = self.order
        return Word(
            order.id, self.line.name, order.verb, order.who, order.why, order.asked_at_ns, self.now_ns, applied=True, answer=answer, **about
        )

    def changed(self, change: str, new: str, *, samples: int | None = None, provisional: bool = False, episode: str | None = None) -> Event:
        """The event about the baseline."""
        return baseline_changed(
            self.agent,
            self.line.name,
            self.now_ns,
            order_id=self.order.id,
            change=change,
            operator=self.order.who,
            reason=self.order.why,
            baselines=(self.baseline, new),
            samples=samples,
            provisional=provisional,
            episode=episode,
        )


def identity(calibration: Calibration) -> str:
    """A baseline's identity, as judges' states name it."""
    return calibration.digest[:16]


async def decide(case: Case) -> Decision:
    """Work an order out; raises RefusedError."""
    verb = case.order.verb
    if verb == "ack":
        return await _acknowledge(case)
    if verb == "wrong":
        return _wrong(case)
    if verb in {"rebase", "restore"}:
        return await (_rebase if verb == "rebase" else _restore)(case)
    return _hold(case) if verb == "hold" else _release(case)


async def _acknowledge(case: Case) -> Decision:
    stream = case.line.name
    if case.episode is not None:
        if case.episode["phase"] == Phase.CLOSED:
            raise RefusedError(f"episode {case.episode['episode']} is over: there is nothing to acknowledge")
        episodes = [case.episode]
    else:
        episodes = await case.journal.look(lambda connection: operation.open_episodes(connection, stream))
    fresh = [told for told in episodes if not told.get("operator_marking")]
    if not episodes:
        raise RefusedError(f"no episode is open on stream {stream}")
    if not fresh:
        by = ", ".join(f"{told['episode']} by {told['operator']}" for told in episodes)
        raise RefusedError(f"acknowledged already: {by}")
    names = [str(told["episode"]) for told in fresh]
    kinds = ", ".join(f"{told['episode']} ({told['kind']})" for told in fresh)
    answer = f"acknowledged: {kinds}; it calls nobody any more until it ends or turns into another kind. The baseline is what it was."
    events: list[Event] = [alert_marked(told, case.now_ns, case.mark) for told in fresh]
    events += [case.changed("acknowledged", case.baseline, provisional=case.standing.provisional, episode=name) for name in names]
    return Decision(Execution(case.answered(answer, episode=names[0]), events=tuple(events)))


def _wrong(case: Case) -> Decision:
    told = case.episode
    if told is None:
        raise RefusedError("which alarm was wrong? name its episode")
    if told.get("operator_marking") == Marking.WRONG:
        raise RefusedError(f"episode {told['episode']} was marked wrong already, by {told['operator']}")
    over = "" if told["phase"] == Phase.CLOSED else "; it calls nobody any more until it ends or turns into another kind"
    answer = f"episode {told['episode']} ({told['kind']}) is marked as a false alarm{over}. `edge-agent status` counts it."
    return Decision(Execution(case.answered(answer, episode=told["episode"]), events=(alert_marked(told, case.now_ns, case.mark),)))


async def _rebase(case: Case) -> Decision:
    calibration = _calibration(case)
    try:
        since = await where_from(case.journal, case.line.name, case.order.since)
        frames = await case.journal.look(partial(frames_since, stream=case.line.name, since=since, calibration=calibration))
        rebase = await asyncio.to_thread(estimate_rebase, calibration, frames)  # a month of frames takes seconds
    except ValueError as error:
        raise RefusedError(f"{error}; the baseline is what it was") from None
    made = rebased(calibration, rebase)
    kept = Baseline(case.line.name, identity(made), rebase.model_dump_json(), case.now_ns, case.order.who, case.order.why, rebase.samples)
    return await _put_in_force(
        case, made, rebase, kept, f"estimated from {rebase.samples} samples ({rebase.frames} frames) since {since.words}"
    )


async def _restore(case: Case) -> Decision:
    calibration, wanted = _calibration(case), case.order.baseline
    if wanted == identity(calibration):
        return await _put_in_force(case, calibration, None, None, "the model's own calibration")
    kept = await case.journal.look(partial(operation.baselines, stream=case.line.name))
    found = next((baseline for baseline in kept if baseline.id == wanted), None)
    if found is None:
        known = ", ".join([identity(calibration), *(baseline.id for baseline in kept)])
        raise RefusedError(f"stream {case.line.name} has no baseline {wanted}; known: {known}")
    rebase = Rebase.model_validate_json(found.data)
    try:
        made = rebased(calibration, rebase)
    except ValueError:
        raise RefusedError(f"baseline {wanted} belongs to another calibration than the model has now") from None
    return await _put_in_force(
        case, made, rebase, None, f"made by {found.who} on {utc_of(found.made_at_ns):%Y-%m-%d} from {found.samples} samples"
    )


async def _put_in_force(case: Case, made: Calibration, rebase: Rebase | None, kept: Baseline | None, words: str) -> Decision:
    new, line = identity(made), case.line
    if new == case.baseline:
        raise RefusedError(f"baseline {new} is in force already")
    if line.make_judge is None:
        raise RefusedError(f"stream {line.name} is not judged by a calibration")
    told = await case.journal.look(lambda connection: operation.open_episodes(connection, line.name))
    told = [episode for episode in told if episode["kind"] != Kind.DEGRADED]  # the ensemble's goes on with the judge that takes over
    judge = line.make_judge(made)
    judge.take_over(line.judge)
    seq = await case.journal.look(lambda connection: operation.last_seq(connection, line.name))
    provisional = rebase is not None
    standing = replace(case.standing, baseline=new if rebase else None, since_seq=seq, provisional=provisional)
    closed = [alert_rebased(episode, case.now_ns, case.order.who, case.order.why) for episode in told]
    first = told[0]["episode"] if told else None
    samples = rebase.samples if rebase else None
    change = "rebased" if case.order.verb == "rebase" else "restored"
    event = case.changed(change, new, samples=samples, provisional=provisional, episode=first)
    ended = f" Episode {', '.join(episode['episode'] for episode in told)} is closed." if told else ""
    until = ", provisionally until further samples confirm it" if provisional else ""
    answer = (
        f"stream {line.name} is judged by baseline {new}{until}: {words}.{ended} "
        f"The old one comes back with `edge-agent baseline rebase --stream {line.name} --restore {case.baseline}`."
    )
    word = case.answered(answer, episode=first, old_baseline=case.baseline, new_baseline=new, samples=samples)
    return Decision(Execution(word, standing, kept, judge.to_json(), (*closed, event)), judge)


def _calibration(case: Case) -> Calibration:
    if case.line.calibration is None:
        raise RefusedError(f"the model of stream {case.line.name} has no calibration, so there is no baseline to change")
    return case.line.calibration


def _hold(case: Case) -> Decision:
    order, line = case.order, case.line
    until = None if order.for_s is None else case.now_ns + int(order.for_s * 1e9)
    hold = Hold(order.who, order.why, case.now_ns, until)
    end = "until they are released" if until is None else f"until {utc_of(until):%Y-%m-%d %H:%M} UTC"
    answer = f"the predictions of stream {line.name} are held {end}: frames are scored, and every one is referred."
    return Decision(Execution(case.answered(answer), replace(case.standing, hold=hold), events=(_held(case, hold),)))


def _release(case: Case) -> Decision:
    if case.standing.hold is None:
        raise RefusedError(f"the predictions of stream {case.line.name} are not held")
    answer = f"the predictions of stream {case.line.name} are released: frames are referred by their entropy again."
    return Decision(Execution(case.answered(answer), replace(case.standing, hold=None), events=(_held(case, None),)))


def _held(case: Case, hold: Hold | None) -> Event:
    order = case.order
    return hold_changed(
        case.agent,
        case.line.name,
        case.now_ns,
        order_id=order.id,
        held=hold is not None,
        operator=order.who,
        reason=order.why,
        until_ns=hold.until_ns if hold else None,
    )
